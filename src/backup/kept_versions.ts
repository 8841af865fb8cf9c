import { forgetCheckpoints } from "../audit/log_checkpoints.ts";
import { sealedSlot } from "../core/location.ts";
import { changedPolicy } from "../jwt/policy.ts";
import { needsCopy, noteUnsaved } from "../secret/keyring/unsaved.ts";
import { activatableFrom } from "../secret/standby.ts";
import type { StoreChoice } from "../store/environment.ts";
import type { Installation } from "../store/installation.ts";
import { SAVED } from "../store/keyring/keyring_store.ts";
import { writePolicy } from "../store/sqlite/meta.ts";
import { isPrepared, type Version } from "../store/sqlite/versions.ts";
import type { FoundValue, NewerVersion } from "./values.ts";

/** Versions of a backup, with their values. */
export interface FoundVersions {
  /** The current one, as the backup has it. */
  readonly current: Version;
  readonly found: readonly FoundValue[];
  /** A newer version in the keyring, which takes the place of them all. */
  readonly newer: NewerVersion | undefined;
}

interface KeepOptions {
  readonly clone: boolean;
  readonly store?: StoreChoice | undefined;
}

/**
 * Seals the values that still verify under the present KEK, and ends the other versions.
 *
 * @returns versions whose grace window ends.
 */
export async function keepVersions(
  staged: Installation,
  live: Installation | undefined,
  { current, found, newer }: FoundVersions,
  { clone, store = staged.store }: KeepOptions,
): Promise<Version[]> {
  const { versions } = staged;
  const kept = newer === undefined ? found.filter((one) => stays(one, live, clone)) : [];
  await place(staged, kept, clone);
  const isLost = (row: Version) => !kept.some((one) => one.row.version === row.version);
  const lost = versions.previous().filter(isLost);
  const unprepared = versions.held().filter((row) => isPrepared(row) && isLost(row));
  if (current.location === "etcd") leave(staged, store);
  tidy(staged, [...lost, ...unprepared], clone);
  if (live !== undefined) keepLongerSets(staged, live);
  dateAgain(staged, clone ? undefined : live);
  return lost;
}

/**
 * Whether a version still verifies. A grace window may have been revoked since the backup: only the keyring and the
 * replaced database know. A prepared version stays unless that database has dropped it or made it the current one, or a
 * fleet has prepared it, which may do so.
 */
function stays({ row, from }: FoundValue, live: Installation | undefined, clone: boolean): boolean {
  const now = live?.versions.byKid(row.kid)?.state;
  if (isPrepared(row)) return row.location !== "etcd" && [undefined, "pending"].includes(now);
  return row.state === "current" || clone || from === "keyring" || now === "previous";
}

/** Leaves the fleet: the secret becomes this machine's own. */
function leave({ database, meta }: Installation, store: StoreChoice): void {
  database.transaction(() => {
    meta.remove("fleet");
    meta.set("store", store);
  });
}

/** Seals values for the database under the present KEK. */
async function place(
  staged: Installation,
  found: readonly FoundValue[],
  clone: boolean,
): Promise<void> {
  const { database, sealed, versions } = staged;
  sealed.dropAll();
  // Unsaved writes at the time of the backup no longer matter; the keyring's present values may not be saved yet.
  const kept = found.filter(({ from }) => from === "keyring" && !clone);
  const settled = kept.length > 0 ? await staged.keyring.settle() : SAVED;
  for (const { row, secret, from } of found) {
    const home = from === "keyring" || from === "mirror" ? "keyring" : "database";
    const location = clone ? "database" : home;
    const copy = location !== "keyring" || from === "mirror" || needsCopy(staged, settled)
      ? await sealed.seal(sealedSlot(row), secret)
      : undefined;
    database.transaction(() => {
      if (row.location !== location) versions.relocate(row, location);
      if (copy !== undefined) sealed.put(sealedSlot(row), copy);
    });
  }
  database.transaction(() => {
    staged.meta.remove("unsaved");
    noteUnsaved(staged, settled, kept.map(({ row }) => row.version));
  });
}

const TRANSIENT_KEYS = [
  "destroying",
  "stale_kek",
  "keyring_retry_at",
  "announced",
  "following",
] as const;

/** Drops the state of operations that were running when the backup was made. */
export function dropTransientState({ meta }: Installation): void {
  for (const key of TRANSIENT_KEYS) meta.remove(key);
  meta.set("restored", "yes");
}

function tidy(staged: Installation, lost: Version[], clone: boolean): void {
  const { database, versions, meta } = staged;
  database.transaction(() => {
    const now = staged.now();
    const begun = versions.begun();
    for (const row of begun === undefined ? lost : [...lost, begun]) versions.retire(row, now);
    dropTransientState(staged);
    if (!clone) return;
    // The keyring belongs to the original installation.
    for (const row of versions.unsynced()) versions.markSynced(row);
    meta.remove("id");
    forgetCheckpoints(database);
    meta.remove("fleet");
    meta.set("store", "database");
  });
}

// Verifiers keep the sets that they have for as long as the replaced database has told them.
function keepLongerSets(staged: Installation, live: Installation): void {
  const policy = changedPolicy(live.policy, staged.policy, staged.now());
  staged.database.transaction(() => writePolicy(staged.meta, policy));
}

// Verifiers may have fetched sets without a prepared version since the backup: it has been out for as long as the replaced
// database had it, or from now on.
function dateAgain(staged: Installation, live: Installation | undefined): void {
  const row = staged.versions.prepared();
  if (row === undefined) return;
  const there = live?.versions.prepared();
  const now = staged.now();
  const [published, activatable] = there?.kid === row.kid
    ? [there.published_at!, there.activatable_at]
    : [now, activatableFrom(staged, row, now)];
  staged.database.transaction(() => staged.versions.prepare(row, published, activatable));
}
