// Every text of the console. Those of `ends` stand under the name with which the control plane closes the stream: the names
// of `CloseReason` in control/src/api/console/close.rs.
import type { LayoutName } from "./layouts";

const again = "Ask for a new console link and open it within a minute.";

export interface Words {
  state: "refused" | "ended";
  title: string;
  text: string;
  /** What is told instead where the page comes back by itself. */
  soon?: string;
}

const refused = (title: string, text: string, soon?: string): Words => ({ state: "refused", title, text, ...(soon && { soon }) });
const ended = (title: string, text: string, soon?: string): Words => ({ state: "ended", title, text, ...(soon && { soon }) });
const back = "This page connects again by itself.";

const ends: Record<string, Words> = {
  // One text for used, old, foreign and invented links: nothing can be learned from the difference.
  bad_ticket: refused("This link cannot be used", `It was used before, is too old, or is not one. ${again}`),
  not_online: refused("The server is not running", "Start it, then ask for a new console link.", "As soon as it runs, its screen appears here."),
  host_away: refused("The screen does not answer", `The server's host cannot show it right now. ${again}`, `The server's host cannot be reached right now. ${back}`),
  too_many: refused("Too many open consoles", "Close one of the others, then ask for a new link.", `Close one of the others. ${back}`),
  unavailable: refused("The console is busy", `It cannot be opened right now. ${again}`, back),
  ended: ended("The session has ended", `The screen went away: the server was switched off, or its host was interrupted. ${again}`, `The screen went away. ${back}`),
  not_allowed: ended("The session was ended", "This server's console is not open to you any more."),
  garbage: ended("The session was ended", `The browser sent something that is no console traffic. ${again}`),
  silent: ended("The session has ended", `Nothing was heard of the other side for too long. ${again}`, `Nothing was heard of the other side for too long. ${back}`),
  lost: ended("The connection was lost", again, back),
  busy: refused("The server is being set up", "There is no screen until that is done. Open its console again then.", "There is no screen until that is done; then it appears here."),
  suspended: refused("The server is suspended", "There is no screen until that is lifted. Its owner's panel says why."),
  terms: refused("Our terms have changed", "Read and accept them in the panel, then load this page again."),
  signed_out: ended("You are signed out", "Sign in to the panel and open the console from there."),
  gone: ended("There is no such server", "It was destroyed, or belongs to another account."),
};

/** So many characters are named that a keyboard lacks. */
const NAMED = 20;
/** What shows nothing, or nothing by itself: unseen, joined to its neighbour, or only a gap. */
const UNSEEN = /^[\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}]$/u;
const NAMES: Record<string, string> = {
  "\u00ad": "soft hyphen", "\u2009": "thin space", "\u200b": "zero width space", "\u200c": "zero width non-joiner", "\u200d": "zero width joiner",
  "\u200e": "left-to-right mark", "\u200f": "right-to-left mark", "\u2028": "line separator", "\u202f": "narrow no-break space", "\u3000": "ideographic space", "\ufeff": "byte order mark",
};
/** A character as itself where it can be seen, as its number (and what it is) where not. */
function shown(character: string): string {
  if (!UNSEEN.test(character)) return character;
  const number = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  return NAMES[character] ? `${number} (${NAMES[character]})` : number;
}

export const wordsOf = (name: string): Words => ends[name] ?? (ends.lost as Words);

export const t = {
  title: "Console", connectingTitle: "Connecting to the screen", connecting: "This takes a moment.", screen: "Screen",
  states: { connecting: "Connecting", connected: "Connected", waiting: "Waiting", ended: "Ended", refused: "Not connected" },
  now: "Connect now", attempt: (count: number) => (count > 1 ? `Tried ${count} times.` : ""),
  back: "To the screen", leaving: "Ctrl + Alt + Home leaves the screen.",
  ctrlAltDel: "Ctrl + Alt + Del", fit: "Fit to window", full: "Full screen", type: "Type text",
  typing: {
    title: "Type this text", lead: "Typed as on a keyboard, key by key: for passwords and commands that the guest's clipboard does not know.", text: "Text", layout: "The guest's keyboard", enter: "Press Enter at the end",
    layouts: {
      us: "English (US)", gb: "English (UK)", be: "Belgian", cz: "Czech", dk: "Danish", fi: "Finnish", fr: "French", de: "German", it: "Italian", latam: "Latin American", no: "Norwegian",
      pl: "Polish", br: "Portuguese (Brazil)", pt: "Portuguese", es: "Spanish", se: "Swedish", "ch-fr": "Swiss French", ch: "Swiss German",
    } satisfies Record<LayoutName, string>,
    does: "Type it", stop: "Stop", close: "Close",
    absent: (all: string[]) => `Not on this keyboard: ${all.slice(0, NAMED).map(shown).join(" ")}${all.length > NAMED ? ` and ${all.length - NAMED} more` : ""}. Nothing was typed.`,
    most: (most: number) => `At most ${most.toLocaleString("en")} characters.`, long: (all: number) => `These are ${all.toLocaleString("en")} characters, which is too long. Nothing is typed.`,
    progress: (done: number, all: number) => `${done} of ${all} characters`, stopped: (done: number, all: number) => `Stopped after ${done} of ${all} characters.`,
  },
};
