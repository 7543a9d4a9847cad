// What is wrong with a field of a form, until somebody changes the field.
export class Fault {
  mended = $state(false);

  constructor(
    readonly field: string,
    readonly why: string,
  ) {}

  /** Whether it is that field's, or that of a part of it: `labels.env` is of `labels`. */
  isOf = (field: string) => this.field === field || this.field.startsWith(`${field}.`);

  /** In words that stand at the field, which name the part. */
  get reason() {
    const part = this.field.slice(this.field.indexOf(".") + 1);
    return part && part !== this.field ? `“${part}”: ${this.why}` : this.why;
  }
}
