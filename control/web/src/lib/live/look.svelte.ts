// What changes without an event, by time alone or within an action, is looked at again and again.

/** What a host that fell silent leaves behind is told nobody; the control plane waits a minute before it says so. */
export const SLOWLY_MS = 20_000;
/** Progress within an action. */
export const CLOSELY_MS = 2_000;

/** Looks every so often while the page is seen. */
export function lookEvery(every: () => number, look: () => void) {
  $effect(() => {
    const timer = setInterval(() => document.hidden || look(), every());
    return () => clearInterval(timer);
  });
}
