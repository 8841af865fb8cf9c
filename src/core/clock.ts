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
export interface Timed<T> {
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
