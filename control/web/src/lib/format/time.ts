// Times: the control plane tells UTC, readers see their own zone.

/** `2026-06-10 12:00:00`, UTC, as the API writes it. */
export const parse = (text: string): Date => new Date(`${text.replace(" ", "T")}Z`);

/** The same, from a date. */
export const written = (date: Date): string => date.toISOString().slice(0, 19).replace("T", " ");

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });

export const onDay = (text: string) => day.format(parse(text));
export const atMinute = (text: string) => minute.format(parse(text));

// An axis is read at a glance, so its times are written as the reader's system writes them.
const clockTime = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DAY_S = 86_400;

/** A mark of a time axis whose marks are `step` seconds apart: the time of day, or the day where one begins. */
export function onAxis(seconds: number, step: number): string {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return (step >= DAY_S || isMidnight ? shortDay : clockTime).format(at);
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** The page looks at its clock this often (lib/clock.svelte.ts): what has just happened may lie so far ahead of it. */
export const CLOCK_STEP_MS = 15_000;
/** Clocks of browsers and control planes differ by so much, in seconds. */
const CLOCKS_DIFFER_S = 5;
const AHEAD_S = CLOCK_STEP_MS / 1000 + CLOCKS_DIFFER_S;

/** `3 minutes ago`, `in 2 days`. */
export function distance(text: string, now: Date): string {
  const seconds = Math.round((parse(text).getTime() - now.getTime()) / 1000);
  if (seconds > -CLOCKS_DIFFER_S && seconds <= AHEAD_S) return "just now";
  // Rounded by the next smaller unit first: 59 minutes and 40 seconds are an hour.
  const reaches = ([, size]: [unknown, number], at: number) => {
    const smaller = UNITS[at + 1]?.[1] ?? 1;
    return Math.round(Math.abs(seconds) / smaller) * smaller >= size;
  };
  const [unit, size] = UNITS.find(reaches) ?? ["second", 1];
  return relative.format(Math.round(seconds / size), unit);
}

/** `2026-06` as `June 2026`. */
export function inMonth(month: string): string {
  const date = new Date(`${month}-01T00:00:00Z`);
  return new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }).format(date);
}
