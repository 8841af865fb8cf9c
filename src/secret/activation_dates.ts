import type { Version } from "../store/sqlite/versions.ts";
import { isAhead, isClockSet } from "./age.ts";

/** Of a prepared version, in milliseconds since the epoch. */
export type Dates = Pick<Version, "published_at" | "activatable_at">;

/**
 * Whether the clock was ahead when a version was prepared: how long verifiers have had it is then not known.
 *
 * @param now milliseconds since the epoch.
 */
export function isFromFuture({ published_at }: Dates, now: number): boolean {
  return isClockSet(now) && isAhead(published_at ?? 0, now);
}

/** Whether verifiers have a prepared version by now. @param now milliseconds since the epoch. */
export function hasBeenOut({ activatable_at }: Dates, now: number): boolean {
  return activatable_at === null || activatable_at <= now;
}
