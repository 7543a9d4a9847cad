// Where the reader is. Links are plain links; a click on one of ours changes the page without loading it anew.
import { match, path, type Place, type RouteName } from "./paths";

const here = () => ({ place: match(location.pathname), query: new URLSearchParams(location.search) });
let wanted = $state.raw(here());
let shown = $state.raw(here());

export const router = {
  /** The page on show. Stays as it is until the next one is loaded: a page must not take the next one's address for its own. */
  get place(): Place | undefined {
    return shown.place;
  },
  get query(): URLSearchParams {
    return shown.query;
  },
  /** The page that the address names. */
  get wanted(): Place | undefined {
    return wanted.place;
  },
  /** The page that the address names is loaded. */
  arrived() {
    shown = wanted;
  },
};

/** Leads to an address of ours. */
export function lead(address: string, how: "push" | "replace" = "push") {
  if (how === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  arrive();
  scrollTo(0, 0);
}

export const goto = (name: RouteName, params: Record<string, string> = {}) => lead(path(name, params));

function arrive() {
  wanted = here();
}

addEventListener("popstate", arrive);
// A letter's link that is opened in a tab which shows the same page changes nothing but the fragment, where its token is.
addEventListener("hashchange", () => location.hash.startsWith("#csp_") && location.reload());
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest("a");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!match(link.pathname) || link.hash) return;
  event.preventDefault();
  if (link.href !== location.href) lead(link.pathname + link.search);
  else arrive(); // it may not have been loaded
});
