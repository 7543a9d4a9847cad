// What changes without an event, by time alone or within an action, is looked at again and again.

/** What a host that fell silent leaves behind is told nobody; the control plane waits a minute before it says so. */
export const SLOWLY_MS = 20_000;
/** Progress within an action. */
export const CLOSELY_MS = 2_000;

/** Looks every so often while the page is seen; not at all while `every` gives nothing. */
export function lookEvery(every: () => number | undefined, look: () => void) {
  $effect(() => {
    const ms = every();
    if (ms === undefined) return;
    const timer = setInterval(() => document.hidden || look(), ms);
    return () => clearInterval(timer);
  });
}
