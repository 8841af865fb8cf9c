import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** Clocks are set right by a little all the time, and those of machines that share a secret differ. */
export const CLOCK_TOLERANCE_MS = 60_000;

// A machine without a battery begins in 1970, or when its system was made, until the network tells it the time: were its
// secret replaced then, each start would log everybody out. This is before rekey.
const UNSET_BEFORE = Date.UTC(2024, 0, 1);

/** How old a version is, as far as the clock can tell. */
export interface Age {
  /** Whole seconds; 0 for what was made in the future. */
  readonly seconds: number;
  /** Whether it was made in the future: the clock was ahead then. How old it is cannot be known, so it counts as due. */
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
  return { seconds, isFromFuture: now >= UNSET_BEFORE && isAhead(made, now) };
}

/** Whether a rotation is due, at this age in seconds. */
export function isDue({ seconds, isFromFuture }: Age, maxAgeSeconds: number): boolean {
  return isFromFuture || seconds >= maxAgeSeconds;
}

/** Whether something that has happened is said to be at a time that has not come: the clock was ahead then. */
export function isAhead(then: number, now: number): boolean {
  return then - now > CLOCK_TOLERANCE_MS;
}

/** What is said of a version that was made in the future. */
export function fromFuture({ version }: Version, time: string): string {
  return `version ${version} was made in the future, ${time}: the clock was ahead then, or is behind now`;
}
