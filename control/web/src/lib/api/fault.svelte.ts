// What is wrong with a field of a form, until somebody changes the field.
export class Fault {
  mended = $state(false);

  constructor(
    readonly field: string,
    readonly reason: string,
  ) {}
}
