// The action that a page saw at work and that failed: shown until somebody has read it.
import { untrack } from "svelte";
import { API, get } from "../../lib/api/client";
import type { Action, Server } from "../../lib/api/schema";

export class Failed {
  #seen = $state.raw<{ server: string; action: Action }>();
  #asked: AbortController | undefined;

  constructor(server: () => Server | undefined) {
    let last: { server: string; action: string } | undefined;
    $effect(() => {
      const now = server();
      if (!now) return;
      const was = last;
      last = now.action ? { server: now.uuid, action: now.action.uuid } : undefined;
      if (now.action) untrack(() => this.#begin(now.action?.uuid));
      if (was?.server === now.uuid && was.action !== now.action?.uuid) void this.#look(was);
    });
  }

  /** What failed of this server, and of no other one. */
  of = (server: string) => (this.#seen?.server === server ? this.#seen.action : undefined);
  dismiss = () => (this.#seen = undefined);

  /** A new attempt is news enough: what failed before is in the list of what was asked. */
  #begin(action: string | undefined) {
    if (this.#seen && this.#seen.action.uuid !== action) this.#seen = undefined;
  }

  async #look(was: { server: string; action: string }) {
    this.#asked?.abort();
    const mine = (this.#asked = new AbortController());
    // What cannot be read now stands in the list of what was asked all the same.
    const found = await get<Action>(`${API}/actions/${was.action}`, mine.signal).catch(() => undefined);
    if (!mine.signal.aborted && found?.data.status === "failed") this.#seen = { server: was.server, action: found.data };
  }
}
