// Who has signed in, and whose panel it is.
import { Failure, get, onSignedOut, onTermsWaiting, PANEL, shownTo } from "./api/client";
import type { Person, Site } from "./api/panel";
import { follow, unfollow } from "./live/events.svelte";

const state = $state<{ person: Person | null | undefined; site: Site | undefined; ended: boolean; failure: Failure | undefined }>({ person: undefined, site: undefined, ended: false, failure: undefined });

export const session = {
  /** `undefined` until it is known, `null` for nobody. */
  get person() {
    return state.person;
  },
  get site() {
    return state.site;
  },
  /** Why it could not be learned whose browser this is. */
  get failure() {
    return state.failure;
  },
  /** Whoever was here was signed out, and not by this page. */
  get ended() {
    return state.ended;
  },
};

let leaving = false;
onSignedOut(() => {
  if (state.person && !leaving) state.ended = true;
  forget();
});

onTermsWaiting(() => void refresh());

export function forget() {
  shownTo(undefined);
  state.person = null;
  unfollow();
}

/** Somebody who leaves by this page is not told that they were signed out. */
export async function leave(by: () => Promise<unknown>) {
  unfollow();
  leaving = true;
  try {
    await by();
    forget();
  } catch (why) {
    follow();
    throw why;
  } finally {
    leaving = false;
  }
}

/** Asks whose browser this is. */
export async function refresh() {
  shownTo(undefined);
  try {
    state.person = (await get<Person>(`${PANEL}/person`)).data;
    shownTo(state.person.uuid);
    state.ended = false;
    state.failure = undefined;
    follow();
  } catch (why) {
    // Only who is told so is signed out: an answer that did not come says nothing of it.
    if (!(why instanceof Failure) || why.status === 401) state.person = null;
    else {
      state.failure = why;
      // Nobody was here, and somebody may be now: the page says so, and asks again.
      if (state.person === null) state.person = undefined;
    }
  }
}

export async function begin() {
  const site = get<Site>(`${PANEL}/site`).then(
    (answer) => (state.site = answer.data),
    () => (state.site = { name: "Panel", has_logo: false, support: null, terms_url: null, privacy_url: null, imprint_url: null }),
  );
  await Promise.all([site, refresh()]);
}
