// Sizes and rates.

/** Memory: 1024 MB are one GB, as packages are sold. */
export const memory = (mb: number) => (mb >= 1024 && mb % 512 === 0 ? `${mb / 1024} GB` : `${Math.round(mb)} MB`);

/** Memory in use, in the unit of packages, so that it can be held against what was bought. */
export const memoryUsed = (mb: number) => (mb >= 1024 ? `${(mb / 1024).toFixed(1).replace(/\.0$/, "")} GB` : `${Math.round(mb)} MB`);
/** Steps of an axis of it: a quarter of a GB is a round number there. */
export const MEMORY_STEPS_MB = Array.from({ length: 22 }, (_, power) => 2 ** power);

const STEPS = ["B", "kB", "MB", "GB", "TB"];

/** A rate or amount of bytes, by thousands. */
export function bytes(amount: number): string {
  let at = 0;
  let value = amount;
  while (value >= 1000 && at < STEPS.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${STEPS[at]}`;
}
