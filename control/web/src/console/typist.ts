// Types a text on a guest's keyboard, key by key.
import type RFB from "@novnc/novnc";
import { symbol, type Stroke } from "./layouts";

/** Between two keys: a guest's keyboard holds a few bytes, and what comes faster than they are read is lost. */
const PACE_MS = 24;
const HOLDS = { shift: [0xffe1, "ShiftLeft"], altgr: [0xfe03, "AltRight"] } as const;

const pause = () => new Promise((resolve) => setTimeout(resolve, PACE_MS));

async function press(screen: RFB, stroke: Stroke) {
  const hold = stroke.hold === "none" ? undefined : HOLDS[stroke.hold];
  if (hold) screen.sendKey(hold[0], hold[1], true);
  screen.sendKey(symbol(stroke), stroke.code, true);
  screen.sendKey(symbol(stroke), stroke.code, false);
  if (hold) screen.sendKey(hold[0], hold[1], false);
  await pause();
}

/** Types until all is typed, or `signal` says stop. `told` hears how many characters are done. */
export async function type(screen: RFB, characters: Stroke[][], signal: AbortSignal, told: (done: number) => void) {
  for (const [index, strokes] of characters.entries()) {
    for (const stroke of strokes) {
      if (signal.aborted) return;
      await press(screen, stroke);
    }
    told(index + 1);
  }
}
