import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { propose, retryOnConflict } from "./commit.ts";
import { findShared, takeOver } from "./catch_up.ts";
import { follow, sealedHere } from "./replica.ts";
import type { Snapshot } from "./snapshot.ts";
import { type FleetState, MOST_RETIRED, type SharedVersion } from "./state.ts";
import { endedSessions } from "../store/sqlite/ended_sessions.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { shareEnded } from "./ended_sessions.ts";
import type { KnownFleet } from "../store/sqlite/meta.ts";

/** A change of the shared state. */
export interface SharedChange<T> {
  /** The new state; {@linkcode changeShared} increments its change number. */
  readonly state: FleetState;
  /** Sealed values of new versions, by kid. */
  readonly added?: ReadonlyMap<string, string>;
  /** Of the version that becomes current: it shows whether a change whose response was lost took effect. */
  readonly activation?: string;
  /** Called after the etcd transaction. */
  onCommit?(): void;
  /** Called when another machine changed the state first. */
  onConflict?(): Promise<void>;
  /** @param followed whether this machine's database has the change too. */
  result(followed: boolean): T | Promise<T>;
}

/** What a change decides: the change, or the result when nothing has to change. */
export type Decision<T> = SharedChange<T> | { readonly unchanged: T };

/**
 * Changes the shared state: reads it, decides, and replaces it by compare-and-swap. When another machine was first, it
 * reads and decides again. Then this machine's database follows. Call it under the lock, after recovery.
 *
 * @param waitMs how long it retries after conflicts, in milliseconds.
 * @throws {RekeyError} `busy` when every attempt met a conflict; `etcd_…` or `fleet_…` when etcd cannot be used: the
 * state is then unchanged, unless the message says that this is not known.
 */
export function changeShared<T>(
  installation: Installation,
  decide: (base: BaseRevision) => Decision<T> | Promise<Decision<T>>,
  waitMs?: number,
): Promise<T> {
  return retryOnConflict(async () => {
    const base = await baseRevisionOf(installation);
    const decision = await decide(base);
    if ("unchanged" in decision) return decision.unchanged;
    const snapshot = await propose(installation, {
      base: base.snapshot,
      state: { ...decision.state, change: base.state.change + 1 },
      added: new Map([...base.added, ...decision.added ?? []]),
    });
    if (snapshot !== undefined) {
      decision.onCommit?.();
      return await decision.result(await followOwn(installation, snapshot));
    }
    if (await wasMade(installation, decision.activation)) return await decision.result(true);
    await decision.onConflict?.();
    return undefined;
  }, waitMs);
}

// The response may have been lost, and another change made since. The kid would not tell: another machine may have
// activated the same version.
async function wasMade(
  installation: Installation,
  activation: string | undefined,
): Promise<boolean> {
  if (activation === undefined) return false;
  const { state } = await baseRevisionOf(installation);
  return [...state.versions, ...state.retired].some((row) => row.activation === activation);
}

const FOLLOW_TRIES = 2;

/** Brings this machine's database to its own change. If that fails, the change stands and the next command follows. */
async function followOwn(installation: Installation, snapshot: Snapshot): Promise<boolean> {
  for (let tries = 1;; tries++) {
    try {
      await follow(installation, snapshot);
      scrub(installation);
      return true;
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      if (tries === FOLLOW_TRIES) return false;
    }
  }
}

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
