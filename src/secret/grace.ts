import { rfc3339 } from "../core/clock.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type Note, retrieve } from "./retrieve.ts";

/** Whether a version's grace window is open at a time in milliseconds since the epoch. */
export function isOpenAt({ grace_until }: Version, time: number): boolean {
  return (grace_until ?? 0) > time;
}

/** Which versions of some verify, from one time until the next grace window ends. Milliseconds since the epoch. */
export interface Verifying {
  readonly among: readonly Version[];
  readonly versions: readonly Version[];
  readonly from: number;
  /** This time itself is excluded. */
  readonly until: number;
}

/** Which versions verify at a time: the current one, and those inside a grace window. */
export function verifyingAt(among: readonly Version[], time: number): Verifying {
  const versions = among.filter((row) => row.state === "current" || isOpenAt(row, time));
  const ends = versions.filter(({ state }) => state !== "current").map((row) => row.grace_until!);
  return { among, versions, from: time, until: Math.min(...ends) };
}

/** Whether {@linkcode verifyingAt} would find the same. */
export function holdsAt(
  known: Verifying | undefined,
  among: readonly Version[],
  time: number,
): known is Verifying {
  return known?.among === among && known.from <= time && time < known.until;
}

/** Older versions that still verify. */
export function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => isOpenAt(row, now));
}

/** Numbers of the versions whose tokens verify now, as of one moment. */
export function verifyingNumbers(installation: Installation): Set<number> {
  const { database, versions } = installation;
  const rows = database.snapshot(() => [versions.current(), ...inGrace(installation)]);
  return new Set(rows.flatMap((row) => row?.version ?? []));
}

/** An older version that still verifies, with `--json` and over HTTP. */
export function describeGrace({ version, kid, alg, grace_until }: Version) {
  return { version, kid, alg, until: rfc3339(grace_until ?? 0) };
}

/** How many grace windows may be open at once: each verification looks through them. */
export const MOST_GRACE_WINDOWS = 1_000;

/** Refuses another grace window. @throws {RekeyError} `failed` when `most` are open. */
export function refuseOneTooMany({ versions }: Installation, most = MOST_GRACE_WINDOWS): void {
  if (versions.previous().length < most) return;
  throw new RekeyError(
    "failed",
    `Cannot give a grace window: ${most} are open already`,
    { hint: "Rotate without --grace, which ends them all, or end them with `rekey revoke`" },
  );
}

/** @throws {RekeyError} when a grace window is wanted for a version whose value cannot be read. */
export async function mustBeReadable(
  installation: Installation,
  old: Version,
  note: Note,
): Promise<void> {
  try {
    await retrieve(installation, old, note);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `Cannot give a grace window: ${error.message}`, {
      hint: joined(error.hint, "without --grace the old secret is not needed"),
      cause: error,
    });
  }
}

function joined(hint: string | undefined, more: string): string {
  return hint === undefined ? more : `${hint}; ${more}`;
}
