// The time, for distances such as "3 minutes ago"; one timer for the whole page.
const STEP_MS = 15_000;
let now = $state.raw(new Date());
setInterval(() => (now = new Date()), STEP_MS);

export const clock = {
  get now() {
    return now;
  },
};
