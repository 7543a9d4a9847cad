// Something that a page shows and that is read from the control plane: loading, there, or refused.
import { untrack } from "svelte";
import { Failure } from "./api/client";

export class Resource<T> {
  /** What was read last; stays on show while it is read anew. */
  data = $state.raw<T | undefined>(undefined);
  failure = $state.raw<Failure | undefined>(undefined);
  busy = $state(false);
  #load: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;

  constructor(load: (signal: AbortSignal) => Promise<T>) {
    this.#load = load;
  }

  /** Whether it came, or why it does not is known. */
  get isSettled() {
    return this.data !== undefined || this.failure !== undefined;
  }

  /** Reads it anew. What is under way already is dropped. */
  reload = (): Promise<void> => {
    this.stop();
    const mine = (this.#running = new AbortController());
    // Called here, so that an effect sees what the path is made of.
    const answer = this.#load(mine.signal);
    return untrack(() => this.#take(mine, answer));
  };

  async #take(mine: AbortController, answer: Promise<T>) {
    this.busy = true;
    try {
      const data = await answer;
      if (mine.signal.aborted) return;
      this.data = data;
      this.failure = undefined;
    } catch (why) {
      if (mine.signal.aborted) return;
      this.failure = why instanceof Failure ? why : new Failure(0, "bug", String(why));
    }
    this.busy = false;
  }

  stop = () => this.#running?.abort();

  /** Forgets what is on show, for another object in its place. */
  forget = () => {
    this.data = undefined;
    this.failure = undefined;
  };
}

/** A resource of the component: read at once, and again when what its path is made of changes. */
export function resource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const made = new Resource(load);
  $effect(() => {
    void made.reload();
    return made.stop;
  });
  return made;
}
