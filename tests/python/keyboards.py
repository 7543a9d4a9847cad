"""Keyboard layouts as X knows them, from xkeyboard-config (Debian's xkb-data) by libxkbcommon, which Chromium needs as well.

    keyboards.py write        writes control/web/src/console/keyboards.ts anew, and its licence
    keyboards.py read         reads [[layout, [[key, hold], ...]], ...] and prints what guests with these layouts would read

The second is how a test knows what was typed: by X's own program and its own table of dead keys, not by our data.
"""

import ctypes
import json
import pathlib
import sys

# Our name, and the name and variant of xkeyboard-config.
LAYOUTS = {
    "us": ("us", ""), "gb": ("gb", ""), "de": ("de", ""), "ch": ("ch", ""), "fr": ("fr", ""), "ch-fr": ("ch", "fr"), "be": ("be", ""),
    "es": ("es", ""), "latam": ("latam", ""), "it": ("it", ""), "pt": ("pt", ""), "br": ("br", ""), "se": ("se", ""), "no": ("no", ""),
    "dk": ("dk", ""), "fi": ("fi", ""), "pl": ("pl", ""), "cz": ("cz", ""),
}
# Places by their names on a US keyboard (UI Events, `code`), row by row, with what Linux calls them: as `PLACES` in layouts.ts.
ROWS = [
    (["Backquote"], [41]),
    ([f"Digit{digit}" for digit in "1234567890"] + ["Minus", "Equal"], range(2, 14)),
    ([f"Key{letter}" for letter in "QWERTYUIOP"] + ["BracketLeft", "BracketRight"], range(16, 28)),
    (["Backslash"], [43]),
    ([f"Key{letter}" for letter in "ASDFGHJKL"] + ["Semicolon", "Quote"], range(30, 41)),
    (["IntlBackslash"], [86]),
    ([f"Key{letter}" for letter in "ZXCVBNM"] + ["Comma", "Period", "Slash"], range(44, 54)),
]
KEYS = {code: number for codes, numbers in ROWS for code, number in zip(codes, numbers)}
OTHERS = {"Space": 57, "Enter": 28, "Tab": 15}
HOLDS = {"none": (), "shift": ("Shift",), "altgr": ("Mod5",), "both": ("Shift", "Mod5")}
# What a dead key puts on the next letter. Those that Linux' own text screens do not know are left out.
DEAD = {"grave": 0x300, "acute": 0x301, "circumflex": 0x302, "tilde": 0x303, "diaeresis": 0x308, "cedilla": 0x327, "caron": 0x30C, "abovering": 0x30A}
# A place without a character.
NONE = "\0"
EVDEV = 8  # X counts keys from there
TARGET = pathlib.Path(__file__).parents[2] / "control/web/src/console/keyboards.ts"
LICENCE = pathlib.Path("/usr/share/doc/xkb-data/copyright")

xkb = ctypes.CDLL("libxkbcommon.so.0")
for name, result in {
    "xkb_context_new": ctypes.c_void_p, "xkb_keymap_new_from_names": ctypes.c_void_p, "xkb_state_new": ctypes.c_void_p,
    "xkb_compose_table_new_from_locale": ctypes.c_void_p, "xkb_compose_state_new": ctypes.c_void_p,
}.items():
    getattr(xkb, name).restype = result


class Names(ctypes.Structure):
    _fields_ = [(field, ctypes.c_char_p) for field in ("rules", "model", "layout", "variant", "options")]


class Keyboard:
    """One layout, and who reads what is typed on it."""

    context = ctypes.c_void_p(xkb.xkb_context_new(0))
    table = ctypes.c_void_p(xkb.xkb_compose_table_new_from_locale(context, b"en_US.UTF-8", 0))

    def __init__(self, layout: str, variant: str):
        names = Names(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")
        keymap = ctypes.c_void_p(xkb.xkb_keymap_new_from_names(self.context, ctypes.byref(names), 0))
        assert keymap.value, f"there is no layout {layout}({variant})"
        self.state = ctypes.c_void_p(xkb.xkb_state_new(keymap))
        self.mods = {name: 1 << xkb.xkb_keymap_mod_get_index(keymap, name.encode()) for name in ("Shift", "Mod5")}

    def symbol(self, code: str, hold: str) -> int:
        held = sum(self.mods[name] for name in HOLDS[hold])
        xkb.xkb_state_update_mask(self.state, held, 0, 0, 0, 0, 0)
        return xkb.xkb_state_key_get_one_sym(self.state, {**KEYS, **OTHERS}[code] + EVDEV)

    def character(self, code: str, hold: str) -> str:
        """What the key makes; of a dead one the accent, as a character that combines."""
        symbol, name = self.symbol(code, hold), ctypes.create_string_buffer(64)
        xkb.xkb_keysym_get_name(symbol, name, 64)
        kind, _, accent = name.value.decode().partition("_")
        if kind == "dead":
            return chr(DEAD[accent]) if accent in DEAD else NONE
        text = chr(xkb.xkb_keysym_to_utf32(symbol))
        return text if text.isprintable() else NONE

    def read(self, strokes: list[list[str]]) -> str:
        """What a guest reads."""
        state, text = ctypes.c_void_p(xkb.xkb_compose_state_new(self.table, 0)), ""
        for code, hold in strokes:
            symbol = self.symbol(code, hold)
            xkb.xkb_compose_state_feed(state, symbol)
            status = xkb.xkb_compose_state_get_status(state)
            if status == 1:  # on the way
                continue
            if status == 3:  # nothing comes of these two
                text += "\N{REPLACEMENT CHARACTER}"
                continue
            if status == 2:
                symbol = xkb.xkb_compose_state_get_one_sym(state)
            text += {0xFF0D: "\n", 0xFF09: "\t"}.get(symbol) or chr(xkb.xkb_keysym_to_utf32(symbol))
        return text


def quoted(row: str) -> str:
    """A text of TypeScript in which nothing combines with what stands before it, or is nothing to see."""
    text = "".join(f"\\u{ord(one):04x}" if one == NONE or 0x300 <= ord(one) < 0x370 or one == "\u00a0" else one for one in row)
    escaped = "".join("\\\\" if one == "\\" and not text.startswith("\\u", at) else '\\"' if one == '"' else one for at, one in enumerate(text))
    return f'"{escaped}"'


def write() -> None:
    lines = []
    for name, (layout, variant) in LAYOUTS.items():
        keyboard = Keyboard(layout, variant)
        rows = ["".join(keyboard.character(code, hold) for code in KEYS) for hold in HOLDS]
        lines.append(f'  {json.dumps(name)}: {{\n' + "".join(f"    {hold}: {quoted(row)},\n" for hold, row in zip(HOLDS, rows)) + "  },\n")
    head = (
        "// Made by tests/python/keyboards.py from xkeyboard-config, which many keep well: what each key of a keyboard makes, by what is\n"
        "// held. Its licence, which is that of X, lies beside it. A row has a character for each of `PLACES`; NUL where there is none, and\n"
        "// of a key that waits for the next one its accent, as a character that combines.\n"
    )
    TARGET.with_name("keyboards.LICENSE.txt").write_bytes(LICENCE.read_bytes())
    TARGET.write_text(head + "export const keyboards = {\n" + "".join(lines) + "} as const;\n")


def read() -> None:
    keyboards = {name: Keyboard(*known) for name, known in LAYOUTS.items()}
    print(json.dumps([keyboards[name].read(strokes) for name, strokes in json.load(sys.stdin)]))


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]]()
