// Which keys make a character on a guest's keyboard. A guest is sent places of keys, not characters: what they mean is up to
// the layout that the guest was set to, so the reader says which one that is.
import { keyboards } from "./keyboards";

/** A key that is pressed, with what is held meanwhile: Shift, AltGr, or both. */
export interface Stroke {
  /** The key's place, by its name on a US keyboard (UI Events, `code`). */
  code: string;
  hold: (typeof HOLDS)[number];
}

export type LayoutName = keyof typeof keyboards;

/** What is easier to press, and the same in more guests, comes first. */
const HOLDS = ["none", "shift", "altgr", "both"] as const;
const PLACES = [
  ..."Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal".split(" "),
  ..."KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash".split(" "),
  ..."KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote".split(" "),
  ..."IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash".split(" "),
];
const LEFT_OF_Z = "IntlBackslash";
/** A place without a character in this row. */
const NONE = "\u0000";

/** Keyboards without the key left of Z: to X it is one more `<`, to others one more `\`. Of ASCII, all that is on it is elsewhere too. */
const WITHOUT_LEFT_OF_Z: LayoutName[] = ["us", "pl"];
/** Where guests do not agree, what most of them know: at X's place for it, Windows has nothing. */
const RATHER: Partial<Record<LayoutName, Record<string, Stroke>>> = { fr: { "~": { code: "Digit2", hold: "altgr" } } };
/** What keys that wait for the next one make with a space, in every guest. Of `´` and `¨` each makes something else. */
const WITH_SPACE: Record<string, string> = { "`": "\u0300", "^": "\u0302", "~": "\u0303" };

const SPACE: Stroke = { code: "Space", hold: "none" };
/** A no-break space is what pages and word processors make of a space: nobody means it at a keyboard. */
const CONTROLS: Record<string, Stroke> = { " ": SPACE, "\u00a0": SPACE, "\n": { code: "Enter", hold: "none" }, "\t": { code: "Tab", hold: "none" } };

/** The key of a character, or of an accent that it puts on the next one. */
function key(character: string, name: LayoutName): Stroke | undefined {
  if (character === NONE) return undefined;
  const rather = RATHER[name]?.[character];
  if (rather) return rather;
  for (const hold of HOLDS) {
    const row = [...keyboards[name][hold]];
    const code = PLACES.find((place, at) => row[at] === character && !(place === LEFT_OF_Z && WITHOUT_LEFT_OF_Z.includes(name)));
    if (code) return { code, hold };
  }
  return undefined;
}

const both = (accent: Stroke | undefined, after: Stroke | undefined) => accent && after && [accent, after];
/** An accent by itself is none that can be typed. */
const isAccent = (character: string) => /^\p{M}$/u.test(character);

function strokesOf(character: string, name: LayoutName): Stroke[] | undefined {
  const control = CONTROLS[character];
  if (control) return [control];
  if (isAccent(character)) return undefined;
  const one = key(character, name);
  if (one) return [one];
  const accent = WITH_SPACE[character];
  if (accent) return both(key(accent, name), SPACE);
  const [base = NONE, mark = NONE, more] = character.normalize("NFD");
  return more ? undefined : both(key(mark, name), key(base, name));
}

/** The strokes of a text, a list for each character; or the characters that the keyboard does not have. */
export function strokes(text: string, name: LayoutName): { strokes: Stroke[][] } | { absent: string[] } {
  const characters = [...text.replace(/\r\n?/g, "\n").normalize("NFC")];
  const found = characters.map((character) => strokesOf(character, name));
  const absent = new Set(characters.filter((_, at) => !found[at]));
  return absent.size ? { absent: [...absent] } : { strokes: found.map((one) => one ?? []) };
}

const NAMED: Record<string, number> = { Space: 0x20, Enter: 0xff0d, Tab: 0xff09, IntlBackslash: 0x3c };

/** What X calls this key on a US keyboard: for servers that are told symbols alone and look the place up by them. */
export function symbol({ code, hold }: Stroke): number {
  const row = hold === "shift" || hold === "both" ? keyboards.us.shift : keyboards.us.none;
  return NAMED[code] ?? [...row][PLACES.indexOf(code)]?.codePointAt(0) ?? 0x20;
}
