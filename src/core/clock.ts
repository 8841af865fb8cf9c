import { quoted, RekeyError } from "./errors.ts";

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const LONGEST_SECONDS = 100 * 365 * UNITS.d!;

/**
 * Reads a duration such as `90d`, `15m`, `1h30m` or `0s` and answers seconds.
 *
 * @throws {RekeyError} `usage` for anything else, a bare number included: its unit would be a guess.
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

/** Milliseconds since the epoch; handed in wherever time matters, so that tests can set it. */
export type Clock = () => number;

// The farthest instant that a Date can hold, in milliseconds.
const END_OF_TIME = 8.64e15;

/**
 * An instant as RFC 3339 in UTC with milliseconds, as audit rows and `--json` show it; the bare number
 * when no calendar has it.
 */
export function rfc3339(milliseconds: number): string {
  if (!(Math.abs(milliseconds) <= END_OF_TIME)) return String(milliseconds);
  return new Date(milliseconds).toISOString();
}

/** What a task took, in whole microseconds, beside its result. */
interface Timed<T> {
  readonly result: T;
  readonly microseconds: number;
}

/** Runs `task` and says how long it took on the monotonic clock. */
export async function timed<T>(task: () => Promise<T>): Promise<Timed<T>> {
  const start = performance.now();
  const result = await task();
  return { result, microseconds: microsecondsSince(start) };
}

/** Whole microseconds since `start`, a value of `performance.now()`. */
export function microsecondsSince(start: number): number {
  return Math.round((performance.now() - start) * 1000);
}
