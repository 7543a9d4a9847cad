// What something would cost, asked anew a moment after the choice changed or money moved; an answer to an older choice is never shown.
import { untrack } from "svelte";
import type { Quote } from "./api/schema";
import { Failure } from "./api/client";
import type { Fault } from "./api/fault.svelte";
import { onEvents } from "./live/events.svelte";
import type { Work } from "./work.svelte";

const SETTLE_MS = 250;

export class Quoted {
  quote = $state.raw<Quote | undefined>();
  failure = $state.raw<Failure | undefined>();
  busy = $state(false);
  #turn = $state(0);

  /** `wish` says what the price depends on; `undefined` while there is nothing to ask. */
  constructor(wish: () => readonly unknown[] | undefined, ask: (signal: AbortSignal) => Promise<Quote>) {
    onEvents((happened) => happened.type.startsWith("balance."), () => (this.#turn += 1));
    $effect(() => {
      void this.#turn;
      const text = JSON.stringify(wish());
      if (text === undefined) {
        this.quote = undefined;
        this.failure = undefined;
        this.busy = false;
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

  /** What is wrong with a field, by the price that was asked last. */
  field = (name: string): Fault | undefined => (this.busy ? undefined : this.failure?.field(name));

  /** Whether it was refused for want of money. */
  get isShort() {
    return this.failure?.code === "insufficient_balance";
  }

  /** What was said when `work` was refused for want of money is over once a price can be told. */
  settles(work: Work) {
    $effect(() => {
      if (this.quote && untrack(() => work.failure?.code) === "insufficient_balance") work.failure = undefined;
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
