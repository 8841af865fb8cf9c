import { quoted, RekeyError } from "./errors.ts";

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const LONGEST_SECONDS = 100 * 365 * UNITS.d!;

/**
 * Parses a duration such as `90d`, `15m`, `1h30m` or `0s`. @returns seconds.
 *
 * @throws {RekeyError} `usage` for anything else, including a number without a unit.
 */
export function parseDuration(text: string): number {
  const whole = /^(?:\d{1,9}[smhd])+$/.test(text);
  const seconds = [...text.matchAll(/(\d+)([smhd])/g)]
    .reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
  if (whole && seconds <= LONGEST_SECONDS) return seconds;
  throw new RekeyError("usage", `Cannot use ${quoted(text)} as a duration`, {
    hint: "Write a whole number and a unit: 30s, 15m, 12h, 90d or 1h30m, 100 years at most",
  });
}

/** Milliseconds since the epoch. A parameter wherever time matters, so that tests can set it. */
export type Clock = () => number;

// The range of `Date`, in milliseconds.
const LAST_DATE = 8.64e15;

/**
 * Formats an instant as RFC 3339 in UTC with milliseconds, as in audit rows and `--json`; as a number if it is outside
 * the range of `Date`.
 */
export function rfc3339(milliseconds: number): string {
  if (!(Math.abs(milliseconds) <= LAST_DATE)) return String(milliseconds);
  return new Date(milliseconds).toISOString();
}

let now = { milliseconds: NaN, text: "" };

/**
 * {@linkcode rfc3339} of now. What is written within one millisecond shares the text: to format it takes two thirds of the
 * time of a log line.
 */
export function rfc3339Now(): string {
  const milliseconds = Date.now();
  if (milliseconds !== now.milliseconds) now = { milliseconds, text: rfc3339(milliseconds) };
  return now.text;
}

const INSTANT = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/;

/**
 * Reads an instant of RFC 3339, or a day, which begins at midnight in UTC.
 *
 * @returns milliseconds since the epoch; `NaN` for anything else.
 */
export function parseInstant(text: string): number {
  return INSTANT.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : NaN;
}

// The runtime takes the 30th of February for the 2nd of March.
function isDay(date: string): boolean {
  const time = Date.parse(date);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}

/** Runs `task` and measures it with the monotonic clock, in whole microseconds. */
export async function timed<T>(
  task: () => Promise<T>,
): Promise<{ readonly result: T; readonly microseconds: number }> {
  const start = performance.now();
  const result = await task();
  return { result, microseconds: microsecondsSince(start) };
}

/** Whole microseconds since `start`, a value of `performance.now()`. */
export function microsecondsSince(start: number): number {
  return Math.round((performance.now() - start) * 1000);
}
