// The token of a letter's link. It stands behind `#`, which browsers send to nobody, and leaves the address bar at once: it
// must not end up in a history or a screenshot.
export function takeToken(): string | undefined {
  const token = location.hash.slice(1);
  if (!token) return undefined;
  history.replaceState(null, "", location.pathname);
  return token;
}
