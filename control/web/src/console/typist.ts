// Types a text on a guest's keyboard, key by key.
import type RFB from "@novnc/novnc";
import { symbol, type Stroke } from "./layouts";

/** Between two keys: a guest's keyboard holds a few bytes, and what comes faster than they are read is lost. */
const PACE_MS = 24;
const SHIFT = [0xffe1, "ShiftLeft"] as const;
const ALTGR = [0xfe03, "AltRight"] as const;
const HELD = { none: [], shift: [SHIFT], altgr: [ALTGR], both: [SHIFT, ALTGR] } as const;

const pause = () => new Promise((resolve) => setTimeout(resolve, PACE_MS));

/** One key, down and up again with what is held: nothing stays down between two keys, whenever somebody stops. */
function press(screen: RFB, stroke: Stroke) {
  const held = HELD[stroke.hold];
  for (const [own, code] of held) screen.sendKey(own, code, true);
  screen.sendKey(symbol(stroke), stroke.code, true);
  screen.sendKey(symbol(stroke), stroke.code, false);
  for (const [own, code] of held) screen.sendKey(own, code, false);
}

/** Types until all is typed, or `signal` says stop; a character that takes two keys is not left half. `told` hears how many are done. */
export async function type(screen: RFB, characters: Stroke[][], signal: AbortSignal, told: (done: number) => void) {
  for (const [index, strokes] of characters.entries()) {
    if (signal.aborted) return;
    for (const stroke of strokes) {
      press(screen, stroke);
      await pause();
    }
    told(index + 1);
  }
}
