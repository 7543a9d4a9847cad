// Tickets: the one in the page's address, and new ones for whoever has signed in to the panel.
import { API, Failure, post } from "../lib/api/client";
import type { Console } from "../lib/api/schema";

/**
 * The ticket of the address, which then no longer has it. It stands in the fragment, which no browser sends anywhere, and
 * leaves the address bar before anything else happens: it must not end up in a history, a log or a screenshot.
 */
export function takeTicket(): string {
  const ticket = location.hash.slice(1);
  if (ticket) history.replaceState(null, "", location.pathname + location.search);
  return ticket;
}

/** Whose screen it is, where the panel opened this page; only then can it come back by itself. */
export function serverOf(query: URLSearchParams): string | undefined {
  const server = query.get("server") ?? "";
  return /^[0-9a-f-]{36}$/.test(server) ? server : undefined;
}

/** A new ticket, or the name of what stands in the way. */
export async function renew(server: string): Promise<{ ticket: string } | { why: string }> {
  try {
    const { url } = (await post<Console>(`${API}/servers/${server}/console`)).data;
    return { ticket: url.split("#")[1] ?? "" };
  } catch (failure) {
    return { why: failure instanceof Failure ? nameOf(failure) : "lost" };
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
