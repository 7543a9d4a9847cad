// The time, for distances such as "3 minutes ago"; one timer for the whole page.
import { CLOCK_STEP_MS } from "./format/time";

let now = $state.raw(new Date());
const look = () => (now = new Date());
setInterval(look, CLOCK_STEP_MS);
// Behind other tabs a page is rarely given its turn.
document.addEventListener("visibilitychange", look);

export const clock = {
  get now() {
    return now;
  },
};
