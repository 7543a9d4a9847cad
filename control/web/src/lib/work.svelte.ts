// Something that a person asks for: under way or not, and why it was refused.
import { Failure } from "./api/client";
import { Once } from "./api/once";

export class Work {
  busy = $state(false);
  failure = $state.raw<Failure | undefined>(undefined);
  readonly once = new Once();

  /** Runs it, unless it runs already. Answers whether it was done. */
  run = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (this.busy) return false;
    this.busy = true;
    this.failure = undefined;
    try {
      await act();
      this.once.done();
      return true;
    } catch (why) {
      this.failure = why instanceof Failure ? why : new Failure(0, "bug", String(why));
      return false;
    } finally {
      this.busy = false;
    }
  };

  /** Whoever asks did so in a place that was closed: what is asked there next is another wish. */
  forget = () => {
    this.failure = undefined;
    this.once.done();
  };

  field = (name: string) => this.failure?.field(name);
}
