// A control plane of its own (csp-test-control --people): letters are read off it, and the operator can be asked.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const WAIT_MS = 20_000;

export class Control {
  #child;
  #lines = [];
  #wake = () => {};

  static async start(program) {
    const control = new Control();
    control.#child = spawn(program, ["--people"], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: control.#child.stdout }).on("line", (line) => {
      control.#lines.push(JSON.parse(line));
      control.#wake();
    });
    Object.assign(control, await control.#next((line) => line.url));
    return control;
  }

  /** The next line that fits, taken out. */
  async #next(fits) {
    const until = Date.now() + WAIT_MS;
    for (;;) {
      const at = this.#lines.findIndex(fits);
      if (at >= 0) return this.#lines.splice(at, 1)[0];
      if (Date.now() > until) throw new Error(`the control plane did not say what was waited for: ${fits}`);
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 200);
      });
    }
  }

  /** The link in the next letter to somebody. */
  async link(to) {
    const { letter } = await this.#next((line) => line.letter?.to === to && line.letter.text.includes("#"));
    return letter.text.match(/https?:\S+#\S+/)[0];
  }

  /** A request of the operator. */
  async operator(method, path, body = {}) {
    this.#child.stdin.write(`${JSON.stringify([method, path, body])}\n`);
    return this.#next((line) => "ok" in line);
  }

  stop() {
    this.#child.stdin.end();
  }
}
