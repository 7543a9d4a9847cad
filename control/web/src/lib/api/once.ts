// Idempotency keys: what is asked twice, by a double click or after a lost answer, happens once.

/**
 * Makes keys for one form: the same wish keeps its key until it was granted. A wish holds what a person chose and nothing that
 * its own success changes: after a lost answer it would be taken for another one, and be paid twice.
 */
export class Once {
  #wish = "";
  #key = "";

  key(...wish: unknown[]): string {
    const text = JSON.stringify(wish);
    if (text !== this.#wish || !this.#key) {
      this.#wish = text;
      this.#key = uuid();
    }
    return this.#key;
  }

  /** The wish was granted, or given up: asked again, it is another one. */
  done() {
    this.#key = "";
  }
}

/** `crypto.randomUUID` is there behind TLS alone, and a panel may be tried without. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
