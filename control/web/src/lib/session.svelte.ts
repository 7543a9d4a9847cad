// Who has signed in, and whose panel it is.
import { get, onSignedOut, PANEL } from "./api/client";
import type { Person, Site } from "./api/panel";
import { follow, unfollow } from "./live/events.svelte";

const state = $state<{ person: Person | null | undefined; site: Site | undefined; ended: boolean }>({ person: undefined, site: undefined, ended: false });

export const session = {
  /** `undefined` until it is known, `null` for nobody. */
  get person() {
    return state.person;
  },
  get site() {
    return state.site;
  },
  /** Whoever was here was signed out, and not by this page. */
  get ended() {
    return state.ended;
  },
};

onSignedOut(() => {
  if (state.person) state.ended = true;
  forget();
});

export function forget() {
  state.person = null;
  unfollow();
}

/** Asks whose browser this is. */
export async function refresh() {
  try {
    state.person = (await get<Person>(`${PANEL}/person`)).data;
    state.ended = false;
    follow();
  } catch {
    state.person = null;
  }
}

export async function begin() {
  const site = get<Site>(`${PANEL}/site`).then(
    (answer) => (state.site = answer.data),
    () => (state.site = { name: "Panel", has_logo: false, support: null, terms_url: null, privacy_url: null, imprint_url: null }),
  );
  await Promise.all([site, refresh()]);
}
