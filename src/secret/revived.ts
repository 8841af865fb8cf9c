import { EVENTS } from "../audit/events.ts";
import { listAudit } from "../audit/reader.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** A version that had ended, and verifies again because an older copy of the database was restored. */
export interface Revived {
  readonly version: Version;
  /** The version that had replaced it, with the reason of that rotation. */
  readonly by: Version | undefined;
}

/** The version that a restoration of `target` over a database revives; `undefined` if it revives none. */
export function revivedOver(live: Installation, target: Version | undefined): Revived | undefined {
  const known = target && live.versions.byKid(target.kid);
  if (known?.state === "current") return revivedIn(live);
  return known?.state === "retired" ? endedBefore(live, known) : undefined;
}

/** The current version, if the last rotation in the log was to a later one: a restoration has brought it back since. */
export function revivedIn(installation: Installation): Revived | undefined {
  // A rotation that commits between the looks is in the log, and its version is not the current one yet.
  return installation.database.snapshot(() => lookForRevived(installation));
}

function lookForRevived(installation: Installation): Revived | undefined {
  const { database, versions } = installation;
  const version = versions.current();
  const [last] = listAudit(database, 1, { is: EVENTS.rotationCompleted });
  if (version === undefined || (last?.version ?? 0) <= version.version) return undefined;
  // The number may be that of another installation's version, which the restoration replaced.
  if (versions.byNumber(last!.version!)?.kid !== last!.kid) return undefined;
  return endedBefore(installation, version);
}

/** Why `restore --new-secret` replaces a version: its value was lost, and no one else has it. */
export const LOST = "the restored secret could not be had";

function endedBefore({ versions }: Installation, version: Version): Revived | undefined {
  const by = versions.every().findLast((row) =>
    row.version > version.version && row.activated_at !== null
  );
  return by?.reason === LOST ? undefined : { version, by };
}
