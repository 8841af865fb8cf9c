import { forgetCheckpoints } from "../audit/log_checkpoints.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { catchUp } from "../cluster/replica.ts";
import { changedPolicy } from "../jwt/policy.ts";
import { knownFleet, writePolicy } from "../store/sqlite/meta.ts";
import { staysShared } from "../cluster/backend.ts";
import { SAVED } from "../store/keyring/keyring_store.ts";
import { needsCopy, noteUnsaved } from "../secret/keyring/unsaved.ts";
import { longestValue, nextUse } from "../secret/next_use.ts";
import { activatableFrom } from "../secret/standby.ts";
import { sealedSlot } from "../core/location.ts";
import type { Installation } from "../store/installation.ts";
import type { StoreChoice } from "../store/environment.ts";
import { locationForNew } from "../store/location_choice.ts";
import { isPrepared, type Version } from "../store/sqlite/versions.ts";
import { type KeyFacts, LOST_KEK, settleKeys } from "./keys.ts";
import { findValues, type FoundValue, newerInKeyring, type NewerVersion } from "./values.ts";

/** Options of {@linkcode makeUsable}. */
export interface UsableOptions extends KeyFacts {
  readonly store?: StoreChoice | undefined;
}

/** Result of {@linkcode makeUsable}. */
export interface Usable {
  /**
   * `newer`: the keyring holds a newer version than the backup; `etcd`: the fleet's current version; `new`: still to be
   * made.
   */
  readonly secretFrom: FoundValue["from"] | "newer" | "etcd" | "new";
  /** Versions whose grace window ends because it may have been revoked since the backup. */
  readonly lost: Version[];
  /** Whether to move the secret to the keyring once the database is in place. */
  readonly toKeyring: boolean;
  /** Whether the audit log starts again because its key was lost with the KEK. */
  readonly logLost: boolean;
}

/**
 * Prepares a staged backup to become this machine's database: with available keys and the values of its versions in their
 * locations. Only the staged copy is changed.
 *
 * @param live the database to be replaced.
 * @throws {RekeyError} when the backup cannot be used.
 */
export async function makeUsable(
  staged: Installation,
  live: Installation | undefined,
  options: UsableOptions,
): Promise<Usable> {
  const { versions, keyring } = staged;
  const { clone, store = staged.store } = options;
  const current = soundCurrent(staged);
  if (!clone && staysShared(staged, options.store)) {
    return await rejoin(staged, live, options);
  }
  // Before the keys are replaced, since sealed values open with the backup's own KEK.
  const { found, lacking } = await findValues(staged, options.contents);
  // With an existing database, the operator has chosen the backup over newer versions.
  const decided = clone || live?.versions.current() !== undefined;
  const newer = decided ? undefined : await newerInKeyring(staged, options.store === "database");
  const reason = lacking.get(current.version);
  if (reason !== undefined && newer === undefined && !options.newSecret) {
    throw withHint(reason, options);
  }
  const known = (kid: string) =>
    Promise.resolve([versions, live?.versions].some((rows) => rows?.byKid(kid) !== undefined));
  const own = found.find(({ row }) => row.version === current.version);
  const source = newer === undefined ? own?.from ?? "new" : "newer";
  // Decided before anything is created: the location of a secret that has none yet.
  const needsLocation = !clone && (source === "envelope" || source === "new");
  const length = own?.secret.reveal().length ?? longestValue(nextUse(staged, {}));
  const home = needsLocation
    ? await locationForNew(keyring, store, length, undefined, known)
    : "database";
  const { logLost } = await settleKeys(staged, live, options);
  const kept = newer === undefined ? found.filter((one) => stays(one, live, clone)) : [];
  await place(staged, kept, clone);
  const isLost = (row: Version) => !kept.some((one) => one.row.version === row.version);
  const lost = versions.previous().filter(isLost);
  const unprepared = versions.held().filter((row) => isPrepared(row) && isLost(row));
  if (current.location === "etcd") leave(staged, store);
  tidy(staged, [...lost, ...unprepared], clone);
  if (live !== undefined) keepLongerSets(staged, live);
  dateAgain(staged, clone ? undefined : live);
  if (newer !== undefined) adopt(staged, current, newer);
  const toKeyring = source === "envelope" && home === "keyring";
  return { secretFrom: source, lost, toKeyring, logLost };
}

/** A fleet member takes its versions from etcd, not from the backup. */
async function rejoin(
  staged: Installation,
  live: Installation | undefined,
  options: UsableOptions,
): Promise<Usable> {
  // The fleet's values open only with its KEK.
  await settleKeys(staged, live, { ...options, newSecret: false }).catch(needsSharedKek);
  try {
    // The live database may be newer than the backup, and keeps its log.
    const fleet = knownFleet(staged.meta)?.id;
    if (fleet !== undefined && live !== undefined && knownFleet(live.meta)?.id === fleet) {
      await catchUp(live);
    }
    await catchUp(staged);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `Cannot restore a machine of a fleet: ${error.message}`, {
      hint: "Nothing was changed. --store database brings the secret back as this machine's own; " +
        "`rekey store move etcd` shares it then",
      cause: error,
    });
  }
  staged.database.transaction(() => dropTransientState(staged));
  return { secretFrom: "etcd", lost: [], toKeyring: false, logLost: false };
}

function needsSharedKek(error: unknown): never {
  if (!isRekeyError(error) || !error.code.startsWith("kek_")) throw error;
  throw new RekeyError(error.code, error.message, {
    hint: "The other machines of the fleet have the KEK: bring it here and name it. " +
      "--store database --new-secret makes a secret of this machine's own",
    cause: error,
  });
}

/** Leaves the fleet: the secret becomes this machine's own. */
function leave({ database, meta }: Installation, store: StoreChoice): void {
  database.transaction(() => {
    meta.remove("fleet");
    meta.set("store", store);
  });
}

// Version numbers increase by one; rekey never reaches this number.
const LARGEST_VERSION = 2 ** 31;

function soundCurrent(staged: Installation): Version {
  const { versions, algorithm, keyForm, store } = staged;
  const current = versions.current();
  const last = versions.every()[0]?.version ?? 0;
  if (current !== undefined && algorithm && keyForm && store && last < LARGEST_VERSION) {
    return current;
  }
  throw new RekeyError(
    "backup_unusable",
    "Cannot use the backup: it has no sound current version",
    { hint: "Nothing was changed; try another backup" },
  );
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

/** Seals values for the database under the present KEK. */
async function place(staged: Installation, found: FoundValue[], clone: boolean): Promise<void> {
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
function dropTransientState({ meta }: Installation): void {
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

/** The keyring's version becomes the current one. */
function adopt(staged: Installation, base: Version, newer: NewerVersion): void {
  const { database, versions, meta } = staged;
  const now = staged.now();
  const { version, secret, use: { tokenKid } } = newer;
  const { alg, keyForm: key_form, bytes, encoding } = nextUse(staged, newer.use, secret);
  database.transaction(() => {
    versions.retire(base, now);
    versions.take({
      ...base,
      ...{ version, kid: secret.kid, alg, key_form, bytes, encoding },
      token_kid: tokenKid !== undefined && versions.byTokenKid(tokenKid) === undefined
        ? tokenKid
        : null,
      ...{ published_at: null, activatable_at: null },
      state: "current",
      location: "keyring",
      origin: "adopted",
      created_at: now,
      activated_at: now,
      reason: "found in the keyring by restore",
      request_id: null,
      replaces: base.version,
      synced: 0,
    });
    meta.set("alg", alg);
    meta.set("key_form", key_form);
  });
}

function withHint(error: RekeyError, { info, contents }: UsableOptions): RekeyError {
  if (error.code.startsWith("kek_") && info.secret === undefined) {
    return new RekeyError(error.code, error.message, { hint: LOST_KEK, cause: error });
  }
  if (info.secret === undefined || contents !== undefined) return error;
  return new RekeyError(error.code, error.message, {
    hint: "The backup has the secret sealed: give --identity-file or --passphrase-file",
    cause: error,
  });
}
