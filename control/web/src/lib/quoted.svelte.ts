// What something would cost, asked anew a moment after the choice changed; an answer to an older choice is never shown.
import type { Quote } from "./api/schema";
import { Failure } from "./api/client";

const SETTLE_MS = 250;

export class Quoted {
  quote = $state.raw<Quote | undefined>();
  failure = $state.raw<Failure | undefined>();
  busy = $state(false);

  /** `wish` says what the price depends on; `undefined` while there is nothing to ask. */
  constructor(wish: () => readonly unknown[] | undefined, ask: (signal: AbortSignal) => Promise<Quote>) {
    $effect(() => {
      const text = JSON.stringify(wish());
      if (text === undefined) {
        this.quote = undefined;
        this.failure = undefined;
        return;
      }
      const cut = new AbortController();
      this.busy = true;
      const due = setTimeout(() => this.#take(ask(cut.signal), cut.signal), SETTLE_MS);
      return () => {
        clearTimeout(due);
        cut.abort();
      };
    });
  }

  async #take(answer: Promise<Quote>, signal: AbortSignal) {
    try {
      const quote = await answer;
      if (signal.aborted) return;
      this.quote = quote;
      this.failure = undefined;
    } catch (why) {
      if (signal.aborted) return;
      this.quote = undefined;
      this.failure = why instanceof Failure ? why : new Failure(0, "bug", String(why));
    }
    this.busy = false;
  }
}
