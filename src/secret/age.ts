import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** Clocks are corrected by small amounts, and those of machines in a fleet differ. */
export const CLOCK_TOLERANCE_MS = 60_000;

// A machine without a clock battery starts in 1970, or at its system's build time, until it gets the network time. If
// its secret were rotated then, each start would end every session. This date is before the first rekey.
const UNSET_BEFORE = Date.UTC(2024, 0, 1);

/** Whether a time of the clock can be right. @param now milliseconds since the epoch. */
export function isClockSet(now: number): boolean {
  return now >= UNSET_BEFORE;
}

/** How old a version is, as far as the clock can tell. */
export interface Age {
  /** Whole seconds; 0 for what was made in the future. */
  readonly seconds: number;
  /** Whether the clock was ahead when it was made. Its age is then unknown, and a rotation is due. */
  readonly isFromFuture: boolean;
}

/** The age of a version now. */
export function ageOf(
  installation: Installation,
  { created_at, activated_at }: Version,
): Age {
  const now = installation.now();
  const seconds = Math.max(0, Math.floor((now - created_at) / 1000));
  const made = Math.max(created_at, activated_at ?? 0);
  return { seconds, isFromFuture: isClockSet(now) && isAhead(made, now) };
}

/** Whether a rotation is due, at this age in seconds. */
export function isDue({ seconds, isFromFuture }: Age, maxAgeSeconds: number): boolean {
  return isFromFuture || seconds >= maxAgeSeconds;
}

/** Whether a recorded time is in the future: the clock was ahead then. */
export function isAhead(then: number, now: number): boolean {
  return then - now > CLOCK_TOLERANCE_MS;
}

/** The message about a version made in the future. */
export function fromFuture({ version }: Version, time: string): string {
  return `version ${version} was made in the future, ${time}: the clock was ahead then, or is behind now`;
}
