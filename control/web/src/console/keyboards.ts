// Made by tests/python/keyboards.py from xkeyboard-config, which many keep well: what each key of a keyboard makes, by what is
// held. Its licence, which is that of X, lies beside it. A row has a character for each of `PLACES`; NUL where there is none, and
// of a key that waits for the next one its accent, as a character that combines.
export const keyboards = {
  "us": {
    none: "`1234567890-=qwertyuiop[]\\asdfghjkl;'<zxcvbnm,./",
    shift: "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\">ZXCVBNM<>?",
    altgr: "`1234567890-=qwertyuiop[]\\asdfghjkl;'|zxcvbnm,./",
    both: "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"¦ZXCVBNM<>?",
  },
  "gb": {
    none: "`1234567890-=qwertyuiop[]#asdfghjkl;'\\zxcvbnm,./",
    shift: "¬!\"£$%^&*()_+QWERTYUIOP{}~ASDFGHJKL:@|ZXCVBNM<>?",
    altgr: "|¹²³€½¾{[]}\\\u0327@ſe¶ŧ←↓→øþ\u0308\u0303\u0300æßðđŋħ\u0000ĸł\u0301\u0302|«»¢„“”µ•·\u0000",
    both: "|¡⅛£¼⅜⅝⅞™±°¿\u0000Ω§E®Ŧ¥↑ıØÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c¦<>©‚‘’º×÷\u0000",
  },
  "de": {
    none: "\u03021234567890ß\u0301qwertzuiopü+#asdfghjklöä<yxcvbnm,.-",
    shift: "°!\"§$%&/()=?\u0300QWERTZUIOPÜ*'ASDFGHJKLÖÄ>YXCVBNM;:_",
    altgr: "′¹²³¼½¬{[]}\\\u0327@ſ€¶ŧ←↓→øþ\u0308~’æſðđŋħ\u0000ĸł\u0000\u0302|»«¢„“”µ·…–",
    both: "″¡⅛£¤⅜⅝⅞™±°¿\u0000Ω§€®Ŧ¥↑ıØÞ\u030a¯\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c\u0000›‹©‚‘’º×÷—",
  },
  "ch": {
    none: "§1234567890'\u0302qwertzuiopü\u0308$asdfghjklöä<yxcvbnm,.-",
    shift: "°+\"*ç%&/()=?\u0300QWERTZUIOPè!£ASDFGHJKLéà>YXCVBNM;:_",
    altgr: "¬|@#¼½¬|¢]}\u0301\u0303@ſ€¶ŧ←↓→œþ[]}æßðđŋħ\u0000ĸł\u0301{\\«»¢„“”µ•·\u0000",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Ω§E®Ŧ¥↑ıŒÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c¦<>©‚‘’º×÷\u0000",
  },
  "fr": {
    none: "²&é\"'(-è_çà)=azertyuiop\u0302$*qsdfghjklmù<wxcvbn,;:!",
    shift: "~1234567890°+AZERTYUIOP\u0308£µQSDFGHJKLM%>WXCVBN?./§",
    altgr: "¬¹~#{[|`\\^@]}æ«€¶ŧ←↓→øþ\u0308¤\u0300@ßðđŋħ\u0000ĸłµ\u0302|ł»¢„“”\u0301•·\u0000",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Æ<¢®Ŧ¥↑ıØÞ\u030a\u0000\u0000ΩẞÐªŊĦ\u0000&Łº\u030c¦Ł>©‚‘’\u0000×÷\u0000",
  },
  "ch-fr": {
    none: "§1234567890'\u0302qwertzuiopè\u0308$asdfghjkléà<yxcvbnm,.-",
    shift: "°+\"*ç%&/()=?\u0300QWERTZUIOPü!£ASDFGHJKLöä>YXCVBNM;:_",
    altgr: "¬|@#¼½¬|¢]}\u0301\u0303@ſ€¶ŧ←↓→œþ[]}æßðđŋħ\u0000ĸł\u0301{\\«»¢„“”µ•·\u0000",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Ω§E®Ŧ¥↑ıŒÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c¦<>©‚‘’º×÷\u0000",
  },
  "be": {
    none: "²&é\"'(§è!çà)-azertyuiop\u0302$µqsdfghjklmù<wxcvbn,;:=",
    shift: "³1234567890°_AZERTYUIOP\u0308*£QSDFGHJKLM%>WXCVBN?./+",
    altgr: "¬|@#¼½^{[{}\\\u0327@ſ€¶ŧ←↓→œþ[]\u0300æßðđŋħ\u0000ĸł\u0301\u0301\\«»¢„“”\u0327•·\u0303",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Ω§¢®Ŧ¥↑ıŒÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c\\<>©‚‘’º×÷\u0000",
  },
  "es": {
    none: "º1234567890'¡qwertyuiop\u0300+çasdfghjklñ\u0301<zxcvbnm,.-",
    shift: "ª!\"·$%&/()=?¿QWERTYUIOP\u0302*ÇASDFGHJKLÑ\u0308>ZXCVBNM;:_",
    altgr: "\\|@#~½¬{[]}\\\u0327@ſ€¶ŧ←↓→øþ[]}æßðđŋħ\u0000ĸł\u0303{|«»¢„“”µ•·\u0000",
    both: "\\¡⅛£$⅜⅝⅞™±°¿\u0000Ω§¢®Ŧ¥↑ıØÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c¦<>©‚‘’º×÷\u0000",
  },
  "latam": {
    none: "|1234567890'¿qwertyuiop\u0301+}asdfghjklñ{<zxcvbnm,.-",
    shift: "°!\"#$%&/()=?¡QWERTYUIOP\u0308*]ASDFGHJKLÑ[>ZXCVBNM;:_",
    altgr: "¬|@·~½¬{[]}\\\u0327@ſ€¶ŧ←↓→øþ\u0308~\u0300æßðđŋħ\u0000ĸł~\u0302\\«»¢„“”µ•·\u0000",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Ω§¢®Ŧ¥↑ıØÞ\u030a\u0000}ÆẞÐªŊĦ\u0000&Ł\u0000{|<>©‚‘’º×÷\u0000",
  },
  "it": {
    none: "\\1234567890'ìqwertyuiopè+ùasdfghjklòà<zxcvbnm,.-",
    shift: "|!\"£$%&/()=?^QWERTYUIOPé*§ASDFGHJKLç°>ZXCVBNM;:_",
    altgr: "¬¹²³¼½¬{[]}`~@ſ€¶ŧ←↓→øþ[]\u0300æßðđŋħ\u0000ĸł@#««»¢“”ñµ\u0301·\u0000",
    both: "¦¡\u0000\u0303⅛⅜⅝⅞™±\u0000¿\u0302Ω§¢®Ŧ¥↑ıØÞ{}\u0000ÆẞÐªŊĦ\u0000&Ł\u0327\u030a»<>©‘’Ñº×\u0308÷",
  },
  "pt": {
    none: "\\1234567890'«qwertyuiop+\u0301\u0303asdfghjklçº<zxcvbnm,.-",
    shift: "|!\"#$%&/()=?»QWERTYUIOP*\u0300\u0302ASDFGHJKLÇª>ZXCVBNM;:_",
    altgr: "¬¹@£§½¬{[]}\\\u0327@ſ€¶ŧ←↓→øþ\u0308\u0303\u0300æßðđŋħ\u0000ĸł\u0301\u0302\\«»¢„“”µ•·\u0000",
    both: "¬¡⅛£$⅜⅝⅞™±°¿\u0000Ω§¢®Ŧ¥↑ıØÞ\u030a\u0000\u0000ÆẞÐªŊĦ\u0000&Ł\u0000\u030c\\<>©‚‘’º×÷\u0000",
  },
  "br": {
    none: "'1234567890-=qwertyuiop\u0301[]asdfghjklç\u0303\\zxcvbnm,.;",
    shift: "\"!@#$%\u0308&*()_+QWERTYUIOP\u0300{}ASDFGHJKLÇ\u0302|ZXCVBNM<>:",
    altgr: "¬¹²³£¢¬{[]}\\§/?°®ŧ←↓→øþ´ªºæßðđŋħ\u0000ĸł\u0301~\u030c«»©„“”µ•·\u0000",
    both: "¬¡½¾¼⅜¨⅞™±°¿\u0000/?°®Ŧ¥↑ıØÞ`\u0000ºÆẞÐªŊĦ\u0000&Ł\u0000^\u0000<>©‚‘’µ×÷\u0000",
  },
  "se": {
    none: "§1234567890+\u0301qwertyuiopå\u0308'asdfghjklöä<zxcvbnm,.-",
    shift: "½!\"#¤%&/()=?\u0300QWERTYUIOPÅ\u0302*ASDFGHJKLÖÄ>ZXCVBNM;:_",
    altgr: "¶¡@£$€¥{[]}\\±@ſ€®þ←↓→œþ\u0308\u0303´ªßðđŋħ\u0000ĸłøæ|«»©„“”µ\u0327·\u0000",
    both: "¾¹²³¼¢⅝÷«»°¿¬Ω§¢®Þ¥↑ıŒÞ\u030a\u030c×ºẞÐªŊĦ\u0000&ŁØÆ¦<>©‚‘’º\u0000\u0000\u0000",
  },
  "no": {
    none: "|1234567890+\\qwertyuiopå\u0308'asdfghjkløæ<zxcvbnm,.-",
    shift: "§!\"#¤%&/()=?\u0300QWERTYUIOPÅ\u0302*ASDFGHJKLØÆ>ZXCVBNM;:_",
    altgr: "¦¡@£$½¥{[]}±\u0301@ſ€®þ←↓→œπ\u0308\u0303\u0000ªßðđŋħ\u0000ĸł\u0301\u0302½«»©„“”µ\u0327…–",
    both: "¶¹²³¼‰⅝÷«»°¿¬Ω§¢™Þ¥↑ıŒΠ\u030a\u030c×ºẞÐªŊĦ\u0000&Ł\u0000\u030c¾<>©‚‘’º\u0000·—",
  },
  "dk": {
    none: "½1234567890+\u0301qwertyuiopå\u0308'asdfghjklæø<zxcvbnm,.-",
    shift: "§!\"#¤%&/()=?\u0300QWERTYUIOPÅ\u0302*ASDFGHJKLÆØ>ZXCVBNM;:_",
    altgr: "¾¡@£$½¥{[]}±|@ſ€®þ←↓→œþ\u0308\u0303\u0000ªßðđŋħ\u0000ĸł\u0301\u0302\\«»©„“”µ\u0327·\u0000",
    both: "¶¹²³¼¢⅝÷«»°¿¦Ω§¢®Þ¥↑ıŒÞ\u030a\u030c×ºẞÐªŊĦ\u0000&Ł\u0000\u030c¬<>©‚‘’º\u0000\u0000\u0000",
  },
  "fi": {
    none: "§1234567890+\u0301qwertyuiopå\u0308'asdfghjklöä<zxcvbnm,.-",
    shift: "½!\"#¤%&/()=?\u0300QWERTYUIOPÅ\u0302*ASDFGHJKLÖÄ>ZXCVBNM;:_",
    altgr: "\u0000\u0000@£$‰‚{[]}\\\u0327qw€rþyuıœ\u0000\u0000\u0303\u030cəßðfghjĸ\u0000øæ|ʒ×cvbŋµ’\u0000–",
    both: "\u0000¡”»«“„\u0000<>°¿\u0000QW\u0000RÞYU|Œ\u0000\u030a\u0000\u0000ƏẞÐFGHJ\u0000\u0000ØÆ¦Ʒ·CVBŊ—‘\u0000\u0000",
  },
  "pl": {
    none: "`1234567890-=qwertyuiop[]\\asdfghjkl;'<zxcvbnm,./",
    shift: "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\">ZXCVBNM<>?",
    altgr: "¬≠²³¢€½§·«»–\u0327πœę©ß←↓→óþ\u0308\u0303\u0300ąśðæŋ’ə…ł\u0301\u0302|żźć„”ńµ≤≥\u0000",
    both: "∨¡¿£¼‰∧≈¾±°—\u0000ΩŒĘ®™¥↑↔ÓÞ\u030a\u0000\u0000ĄŚÐÆŊ•Ə\u0000Ł\u0000\u030c¦ŻŹĆ‘“Ń∞×÷\u0000",
  },
  "cz": {
    none: ";+ěščřžýáíé=\u0301qwertzuiopú)\u0308asdfghjklů§\\yxcvbnm,.-",
    shift: "\u030a1234567890%\u030cQWERTZUIOP/('ASDFGHJKL\"!|YXCVBNM?:_",
    altgr: "`!@#$%^&*{}\\\u0000\\|€¶ŧ←↓→øþ[]\\~đĐ[]`'łŁ$'/°#&@{}^<>*",
    both: "~\u0303\u030c\u0302\u0000\u030a\u0000\u0300\u0000\u0301\u0000\u0308\u0327Ω§E®Ŧ¥↑ıØÞ÷×|ÆẞÐªŊĦ\u0000&Ł\u0000ß¦<>©‚‘’º×÷\u0000",
  },
} as const;
