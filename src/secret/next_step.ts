import type { Installation } from "../store/installation.ts";
import { notInitialised } from "./view.ts";
import { ageOf, isDue } from "./age.ts";
import { isFromFuture } from "./activation_dates.ts";

/** Times of a rotation in two phases that is made again and again, in milliseconds. */
export interface StandbyTimes {
  /** Age at which a version is to be replaced. */
  readonly maxAgeMs: number;
  /** How long before that verifiers get the next one. */
  readonly standbyMs: number;
}

/** The next step of such a rotation. */
export interface NextStep {
  readonly step: "prepare" | "activate";
  /** From when it is due, milliseconds since the epoch. */
  readonly at: number;
  readonly isDue: boolean;
}

/**
 * The next step of the rotation, as the versions are now: what was prepared is activated once it was published for the
 * standby time and no cache can lack it; else one is prepared, so early that the current one is not too old then.
 *
 * @throws {RekeyError} `not_initialised`.
 */
export function nextStep(
  installation: Installation,
  times: StandbyTimes,
): NextStep {
  return installation.database.snapshot(() => stepOf(installation, times));
}

function stepOf(installation: Installation, { maxAgeMs, standbyMs }: StandbyTimes): NextStep {
  const { versions } = installation;
  const now = installation.now();
  const prepared = versions.prepared();
  if (prepared !== undefined) {
    // How long verifiers have had it is not known: it is dated again.
    if (isFromFuture(prepared, now)) return { step: "prepare", at: now, isDue: true };
    const at = Math.max((prepared.published_at ?? 0) + standbyMs, prepared.activatable_at ?? 0);
    return { step: "activate", at, isDue: at <= now };
  }
  const current = versions.current();
  if (current === undefined) throw notInitialised(installation.environment.app.name);
  const age = ageOf(installation, current);
  const at = age.isFromFuture ? now : current.created_at + maxAgeMs - standbyMs;
  return { step: "prepare", at, isDue: isDue(age, (maxAgeMs - standbyMs) / 1000) };
}
