import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { endedSessions } from "../store/sqlite/ended_sessions.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { findShared, takeOver } from "./catch_up.ts";
import { sealedHere } from "./replica.ts";
import { shareEnded } from "./ended_sessions.ts";
import type { KnownFleet } from "../store/sqlite/meta.ts";
import type { Snapshot } from "./snapshot.ts";
import { type FleetState, MOST_RETIRED, type SharedVersion } from "./state.ts";

/** What a change of the shared state is based on. */
export interface BaseRevision {
  readonly state: FleetState;
  /** What etcd holds; `undefined` when it holds nothing. */
  readonly snapshot: Snapshot | undefined;
  /** Sealed values, by kid, that etcd lacks. */
  readonly added: ReadonlyMap<string, string>;
}

/**
 * Reads the shared state and follows it. If etcd was restored from a backup older than this machine's state, the base is
 * this machine's state.
 *
 * @throws {RekeyError} `etcd_…` or `fleet_…`.
 */
export async function baseRevisionOf(installation: Installation): Promise<BaseRevision> {
  const found = await findShared(installation);
  const { known, snapshot } = found;
  try {
    const { state } = await takeOver(installation, found);
    return { state, snapshot, added: lostThere(installation, snapshot!) };
  } catch (error) {
    if (known === undefined || !isRekeyError(error, "fleet_behind")) throw error;
    // The restored etcd lacks ended sessions too.
    await shareEnded(installation, endedSessions(installation.database, installation.now()));
    // Based on the snapshot that was read above: if etcd has changed since, compare-and-swap fails.
    const state = localState(installation, known, snapshot?.state);
    return { state, snapshot, added: sealedHere(installation) };
  }
}

/** Values that this machine has and etcd lacks. */
function lostThere(installation: Installation, { values }: Snapshot): Map<string, string> {
  return new Map([...sealedHere(installation)].filter(([kid]) => !values.has(kid)));
}

/**
 * This machine's versions as a shared state.
 *
 * @param there the state of an etcd that was restored from a backup and changed since: versions that only it has are
 * retired, so that machines which follow them learn of their end.
 */
export function localState(
  installation: Installation,
  { id, change }: Pick<KnownFleet, "id" | "change">,
  there?: FleetState,
): FleetState {
  const { versions, algorithm, keyForm, policy, environment } = installation;
  const rows = versions.every().map((row) => shared(row, environment.actor));
  const strange = [...there?.versions ?? [], ...there?.retired ?? []]
    .filter(({ kid }) => versions.byKid(kid) === undefined)
    .map((row) => ({ ...row, ...ENDED, retired_at: row.retired_at ?? installation.now() }));
  const retired = [...rows.filter(({ state }) => state === "retired"), ...strange];
  return {
    format: 1,
    id,
    change: Math.max(change, there?.change ?? 0),
    alg: algorithm,
    key_form: keyForm,
    policy,
    versions: rows.filter(({ state }) => state !== "retired"),
    retired: retired.sort((a, b) => b.version - a.version).slice(0, MOST_RETIRED),
  };
}

const ENDED = { state: "retired", grace_until: null } as const;

function shared({ location: _, synced: __, ...row }: Version, by: string): SharedVersion {
  return { ...row, by };
}
