// Whose screen this page shows, and its tickets: the one in the page's address, and new ones for whoever has signed in to the
// panel or came by a management link.
import { API, Failure, get, post } from "../lib/api/client";
import type { Console, Server } from "../lib/api/schema";

/** What nothing was heard of for so long is not waited for any more. */
export const PATIENCE_MS = 15_000;

/** A new ticket, or the name of what stands in the way. */
type Renewed = { ticket: string } | { why: string };

/** What a page came by that can get tickets by itself. */
export interface Way {
  renew: () => Promise<Renewed>;
  /** The server's name, as the control plane has it; empty where it does not tell. */
  name: () => Promise<string>;
}

/**
 * The ticket of the address, which then no longer has it. It stands in the fragment, which no browser sends anywhere, and
 * leaves the address bar before anything else happens: it must not end up in a history, a log or a screenshot. Behind a
 * management link a word follows it, by which this tab gets new ones; the tab's own history keeps that, out of sight.
 */
export function takeTicket(): string {
  const [ticket = "", word] = location.hash.slice(1).split("~");
  if (ticket) history.replaceState(word ? { word } : null, "", location.pathname + location.search);
  return ticket;
}

/**
 * How this page gets tickets, so that it can come back by itself; nothing, where it was opened by a ticket alone. Beside a
 * ticket the address names no server: whoever wrote it could show one server's screen under another one's name.
 */
export function wayOf(ticket: string, query: URLSearchParams): Way | undefined {
  const word = (history.state as { word?: string } | null)?.word;
  if (word) return byLink(word);
  const server = query.get("server") ?? "";
  return !ticket && /^[0-9a-f-]{36}$/.test(server) ? bySignIn(server) : undefined;
}

/** For what cannot be broken off: a ticket that comes later is used by nobody, and ends by itself. */
const inTime = <T>(answer: Promise<T>) => Promise.race([answer, new Promise<never>((_, reject) => setTimeout(reject, PATIENCE_MS))]);

const bySignIn = (server: string): Way => ({
  async renew() {
    try {
      const { url } = (await inTime(post<Console>(`${API}/servers/${server}/console`))).data;
      return { ticket: url.split("#")[1] ?? "" };
    } catch (failure) {
      return { why: failure instanceof Failure ? nameOf(failure) : "lost" };
    }
  },
  name: () => get<Server>(`${API}/servers/${server}`, AbortSignal.timeout(PATIENCE_MS)).then((answer) => answer.data.hostname, () => ""),
});

const byLink = (word: string): Way => {
  const ask = (what: string) => fetch(`/manage/${what}`, { method: "POST", body: new URLSearchParams({ check: word }), cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  return {
    async renew() {
      try {
        const answer = await ask("ticket");
        if (answer.status === 404) return { why: "not_allowed" }; // the link has ended
        if (answer.status === 429) return { why: "unavailable" };
        return (await answer.json().catch(() => ({ why: answer.status === 403 ? "not_allowed" : "unavailable" }))) as Renewed;
      } catch {
        return { why: "lost" };
      }
    },
    name: () => ask("state").then((answer) => answer.json() as Promise<{ name?: string }>).then((seen) => seen.name ?? "", () => ""),
  };
};

/** What the API refused with, by the names of the page's own texts: its sentences are for who wrote the request. */
function nameOf(failure: Failure): string {
  const seen = failure.detail?.details;
  switch (failure.code) {
    case "server_busy": return "busy";
    case "terms_not_accepted": return "terms";
    case "host_unreachable": return "host_away";
    case "conflict":
      if (seen?.service_status === "suspended") return "suspended";
      if (seen?.service_status === "failed") return "gone"; // it never comes up
      return seen?.status === "Unknown" ? "host_away" : "not_online";
  }
  if (failure.status === 401) return "signed_out";
  if (failure.status === 403) return "not_allowed";
  if (failure.status === 404) return "gone";
  return failure.status === 0 ? "lost" : "unavailable";
}
