// Which keys make a character on a guest's keyboard. A guest is sent places of keys, not characters: what they mean is up to
// the layout that the guest was set to, so the reader says which one that is.

/** A key that is pressed, with what is held meanwhile. */
export interface Stroke {
  /** The key's place, by its name on a US keyboard (UI Events, `code`). */
  code: string;
  hold: "none" | "shift" | "altgr";
}

export type LayoutName = "us" | "de" | "fr";

const PLACES = [
  ..."Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal".split(" "),
  ..."KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash".split(" "),
  ..."KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote".split(" "),
  ..."IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash".split(" "),
];
/** A place without a character in this row. */
const NONE = "\u0000";

interface Layout {
  plain: string;
  shift: string;
  altgr: Record<string, string>;
  /** Keys that wait for the next one, by the accent that they put on it (a combining character), or by themselves. */
  dead: Record<string, string>;
}

const layouts: Record<LayoutName, Layout> = {
  us: {
    plain: "`1234567890-=qwertyuiop[]\\asdfghjkl;'\u0000zxcvbnm,./",
    shift: '~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"\u0000ZXCVBNM<>?',
    altgr: {},
    dead: {},
  },
  de: {
    plain: "^1234567890ß´qwertzuiopü+#asdfghjklöä<yxcvbnm,.-",
    shift: "°!\"§$%&/()=?`QWERTZUIOPÜ*'ASDFGHJKLÖÄ>YXCVBNM;:_",
    altgr: { "²": "Digit2", "³": "Digit3", "{": "Digit7", "[": "Digit8", "]": "Digit9", "}": "Digit0", "\\": "Minus", "@": "KeyQ", "€": "KeyE", "~": "BracketRight", "|": "IntlBackslash", "µ": "KeyM" },
    dead: { "^": "\u0302", "´": "\u0301", "`": "\u0300" },
  },
  fr: {
    plain: "²&é\"'(-è_çà)=azertyuiop^$*qsdfghjklmù<wxcvbn,;:!",
    shift: "\u00001234567890°+AZERTYUIOP¨£µQSDFGHJKLM%>WXCVBN?./§",
    altgr: { "~": "Digit2", "#": "Digit3", "{": "Digit4", "[": "Digit5", "|": "Digit6", "`": "Digit7", "\\": "Digit8", "^": "Digit9", "@": "Digit0", "]": "Minus", "}": "Equal", "€": "KeyE" },
    dead: { "^": "\u0302", "¨": "\u0308" },
  },
};

const SPACE: Stroke = { code: "Space", hold: "none" };
const CONTROLS: Record<string, Stroke> = { " ": SPACE, "\n": { code: "Enter", hold: "none" }, "\t": { code: "Tab", hold: "none" } };

function strokesOf(character: string, layout: Layout): Stroke[] | undefined {
  const control = CONTROLS[character];
  if (control) return [control];
  const altgr = layout.altgr[character];
  if (altgr) return [{ code: altgr, hold: "altgr" }];
  const one = key(character, layout);
  // A dead key by itself comes out when a space follows.
  if (one) return layout.dead[character] ? [one, SPACE] : [one];
  const [base, accent, more] = character.normalize("NFD");
  const dead = Object.entries(layout.dead).find(([, own]) => own === accent)?.[0];
  const before = dead && key(dead, layout);
  const after = base && key(base, layout);
  return before && after && !more ? [before, after] : undefined;
}

function key(character: string, layout: Layout): Stroke | undefined {
  if (character === NONE) return undefined;
  const plain = PLACES[[...layout.plain].indexOf(character)];
  if (plain) return { code: plain, hold: "none" };
  const shift = PLACES[[...layout.shift].indexOf(character)];
  return shift ? { code: shift, hold: "shift" } : undefined;
}

/** The strokes of a text, a list for each character; or the characters that the keyboard does not have. */
export function strokes(text: string, name: LayoutName): { strokes: Stroke[][] } | { absent: string[] } {
  const layout = layouts[name];
  const characters = [...text.replace(/\r\n?/g, "\n").normalize("NFC")];
  const absent = [...new Set(characters.filter((character) => !strokesOf(character, layout)))];
  if (absent.length) return { absent };
  return { strokes: characters.map((character) => strokesOf(character, layout) ?? []) };
}

const NAMED: Record<string, number> = { Space: 0x20, Enter: 0xff0d, Tab: 0xff09, IntlBackslash: 0x3c };

/** What X calls this key on a US keyboard: for servers that are told symbols alone and look the place up by them. */
export function symbol({ code, hold }: Stroke): number {
  const row = hold === "shift" ? layouts.us.shift : layouts.us.plain;
  return NAMED[code] ?? [...row][PLACES.indexOf(code)]?.codePointAt(0) ?? 0x20;
}
