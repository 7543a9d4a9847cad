// Tickets: the one in the page's address, and new ones for whoever has signed in to the panel or came by a management link.
import { API, Failure, post } from "../lib/api/client";
import type { Console } from "../lib/api/schema";

/** A new ticket, or the name of what stands in the way. */
type Renewed = { ticket: string } | { why: string };
export type Renew = () => Promise<Renewed>;

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

/** How this page gets new tickets, so that it can come back by itself; nothing, where it was opened by a ticket alone. */
export function renewal(query: URLSearchParams): Renew | undefined {
  const server = query.get("server") ?? "";
  if (/^[0-9a-f-]{36}$/.test(server)) return () => bySignIn(server);
  const word = (history.state as { word?: string } | null)?.word;
  return word ? () => byLink(word) : undefined;
}

async function bySignIn(server: string): Promise<Renewed> {
  try {
    const { url } = (await post<Console>(`${API}/servers/${server}/console`)).data;
    return { ticket: url.split("#")[1] ?? "" };
  } catch (failure) {
    return { why: failure instanceof Failure ? nameOf(failure) : "lost" };
  }
}

async function byLink(word: string): Promise<Renewed> {
  try {
    const answer = await fetch("/manage/ticket", { method: "POST", body: new URLSearchParams({ check: word }), cache: "no-store" });
    if (answer.status === 404) return { why: "not_allowed" }; // the link has ended
    if (answer.status === 429) return { why: "unavailable" };
    return (await answer.json().catch(() => ({ why: answer.status === 403 ? "not_allowed" : "unavailable" }))) as Renewed;
  } catch {
    return { why: "lost" };
  }
}

function nameOf(failure: Failure): string {
  if (failure.status === 401) return "signed_out";
  if (failure.status === 403) return "not_allowed";
  if (failure.status === 404) return "gone";
  if (failure.code === "conflict") return failure.detail?.details.status === "Unknown" ? "host_away" : "not_online";
  if (failure.code === "host_unreachable") return "host_away";
  return failure.status === 0 ? "lost" : "unavailable";
}
