# Flattens one JSON document to lines "path<TAB>value", so that a shell can read a seed:
#   {"a":[{"b":"c"}]}  ->  .a.0.b<TAB>c
# A first line that begins with # (cloud-config's mark) is skipped. A newline inside a string is printed as \n, so one
# value is always one line. Enough JSON for seeds, which are written by a serializer; not a validator.

function skip() { while (at <= length(text) && index(" \t\r\n,:", substr(text, at, 1))) at++ }

function string(   out, c) {
    at++
    out = ""
    while (at <= length(text)) {
        c = substr(text, at, 1)
        if (c == "\"") { at++; return out }
        if (c == "\\") {
            at++
            c = substr(text, at, 1)
            if (c == "n") c = "\\n"
            else if (c == "t") c = "\t"
            else if (c == "u") { c = unicode(substr(text, at + 1, 4)); at += 4 }
        }
        out = out c
        at++
    }
    return out
}

# ASCII is all that a seed of this project escapes.
function unicode(hex,   i, n) {
    n = 0
    for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789abcdef", tolower(substr(hex, i, 1))) - 1
    return n < 128 ? sprintf("%c", n) : "?"
}

function value(path,   c, n, key, start) {
    skip()
    c = substr(text, at, 1)
    if (c == "{") {
        at++
        for (skip(); at <= length(text) && substr(text, at, 1) != "}"; skip()) { key = string(); value(path "." key) }
        at++
    } else if (c == "[") {
        at++
        n = 0
        for (skip(); at <= length(text) && substr(text, at, 1) != "]"; skip()) value(path "." n++)
        at++
    } else if (c == "\"") {
        print path "\t" string()
    } else {
        start = at
        while (at <= length(text) && !index(",]} \t\r\n", substr(text, at, 1))) at++
        print path "\t" substr(text, start, at - start)
        if (at == start) at++
    }
}

NR == 1 && /^#/ { next }
{ text = text $0 "\n" }
END { at = 1; value("") }
