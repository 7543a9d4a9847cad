// What happens to the account, as it happens: one stream for the page, handed to whoever listens.
import { API, get, PANEL } from "../api/client";
import type { Event as Happened, EventKind } from "../api/schema";

type Listener = (happened: Happened) => void;

/** All that can happen: a browser hands on only what is asked for by name. The types hold the list against the API's. */
const KINDS = {
  "server.created": true, "server.service_changed": true, "server.status_changed": true, "server.updated": true,
  "server.reminder": true, "server.renewed": true, "server.price_announced": true, "server.address_replaced": true,
  "server.traffic": true, "server.password_reset": true, "server.link_created": true, "server.link_revoked": true,
  "server.lost": true, "server.destroyed": true, "account.updated": true, "network.created": true,
  "network.updated": true, "network.deleted": true, "action.queued": true, "action.started": true,
  "action.done": true, "action.failed": true, "action.superseded": true, "balance.credited": true,
  "balance.debited": true, "notice.published": true,
} as const satisfies Record<EventKind, true>;
const GAP = "gap";
/** A tab that nobody looks at gives its stream back after this time: an account may hold only so many. */
const HIDDEN_MS = 30_000;
const AGAIN_MS = 3_000;
/** A break that is shorter is nobody's business: most end by themselves. */
const BREAK_MS = 5_000;

const listeners = new Set<Listener>();
const gaps = new Set<() => void>();
const state = $state({ connected: true });
let source: EventSource | undefined;
let wanted = false;
let hidden: ReturnType<typeof setTimeout> | undefined;
let again: ReturnType<typeof setTimeout> | undefined;
let asking: AbortController | undefined;
let broken: ReturnType<typeof setTimeout> | undefined;
let missed = false;

export const live = {
  get connected() {
    return state.connected;
  },
};

export function follow() {
  wanted = true;
  open();
}

export function unfollow() {
  wanted = false;
  close();
}

function open() {
  if (!wanted || source) return;
  // Also one that was opened in the background: a browser has only so many connections for all tabs.
  if (document.hidden) {
    missed = true;
    return;
  }
  const mine = (source = new EventSource(`${API}/events`));
  mine.onopen = () => {
    clearTimeout(broken);
    broken = undefined;
    state.connected = true;
    // The first stream of a page begins where its data was read; a later one may have missed something.
    if (missed) for (const act of gaps) act();
    missed = false;
  };
  mine.onerror = () => {
    missed = true;
    broken ??= setTimeout(() => (state.connected = false), BREAK_MS);
    // A browser does not tell why a stream ended, and would ask for it again although nobody is signed in any more.
    mine.close();
    source = undefined;
    void comeBack();
  };
  for (const kind of Object.keys(KINDS) as EventKind[]) mine.addEventListener(kind, hear);
  mine.addEventListener(GAP, () => gaps.forEach((act) => act()));
}

/** Opens the stream again if somebody is still signed in. Who is not is told so by the way of every answer. */
async function comeBack() {
  const mine = (asking = new AbortController());
  const isHeard = await get(`${PANEL}/person`, mine.signal).then(() => true, () => false);
  if (mine.signal.aborted || !wanted) return;
  again = setTimeout(isHeard ? open : comeBack, AGAIN_MS);
}

function close() {
  asking?.abort();
  clearTimeout(again);
  clearTimeout(broken);
  broken = undefined;
  source?.close();
  source = undefined;
}

function hear(message: MessageEvent<string>) {
  const happened = JSON.parse(message.data) as Happened;
  for (const listener of listeners) listener(happened);
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) {
    hidden = setTimeout(() => {
      close();
      missed = true;
    }, HIDDEN_MS);
  } else if (wanted && !source) {
    close();
    // Somebody else may have signed in meanwhile.
    void get(`${PANEL}/person`).then(open, comeBack);
  }
});

/** Reads something anew when what happened concerns it, once for several events at once. Also after a gap. */
export function onEvents(concerns: (happened: Happened) => boolean, act: () => void) {
  $effect(() => {
    let due: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(due);
      due = setTimeout(act, 120);
    };
    const listener: Listener = (happened) => concerns(happened) && soon();
    listeners.add(listener);
    gaps.add(soon);
    return () => {
      clearTimeout(due);
      listeners.delete(listener);
      gaps.delete(soon);
    };
  });
}
