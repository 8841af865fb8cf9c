import { isRekeyError, RekeyError } from "../core/errors.ts";
import { catchUp } from "../cluster/catch_up.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { staysShared } from "../cluster/backend.ts";
import { longestValue, nextUse } from "../secret/next_use.ts";
import type { Location } from "../core/location.ts";
import type { Installation } from "../store/installation.ts";
import type { StoreChoice } from "../store/environment.ts";
import { locationForNew } from "../store/location_choice.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { dropTransientState, type FoundVersions, keepVersions } from "./kept_versions.ts";
import { type KeyFacts, type LogFate, lostKek, originalOf, settleKeys } from "./keys.ts";
import { findOwnKek } from "./two_keks.ts";
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
  /** What becomes of the backup's audit log. */
  readonly log: LogFate;
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
  const current = soundCurrent(staged);
  const original = originalOf(staged, live);
  if (original !== undefined) await findOwnKek(staged, original);
  if (!options.clone && staysShared(staged, options.store)) {
    return await rejoin(staged, live, options);
  }
  const values = await availableValues(staged, live, current, options);
  // Decided before anything is created.
  const home = await homeOf(staged, live, values, options);
  const log = await settleKeys(staged, live, options);
  const lost = await keepVersions(staged, live, values, options);
  if (values.newer !== undefined) adopt(staged, current, values.newer);
  const toKeyring = values.source === "envelope" && home === "keyring";
  return { secretFrom: values.source, lost, toKeyring, log };
}

/** The versions of a backup, and where the current value is from. */
interface Values extends FoundVersions {
  readonly source: Usable["secretFrom"];
  /** The current version. */
  readonly own: FoundValue | undefined;
}

/** Call it before the keys are replaced, since sealed values open with the backup's own KEK. */
async function availableValues(
  staged: Installation,
  live: Installation | undefined,
  current: Version,
  options: UsableOptions,
): Promise<Values> {
  const { found, lacking } = await findValues(staged, options.contents);
  // With an existing database, the operator has chosen the backup over newer versions.
  const decided = options.clone || live?.versions.current() !== undefined;
  const newer = decided ? undefined : await newerInKeyring(staged, options.store === "database");
  const reason = lacking.get(current.version);
  if (reason !== undefined && newer === undefined && !options.newSecret) {
    throw await withHint(staged, live, reason, options);
  }
  const own = found.find(({ row }) => row.version === current.version);
  const source = newer === undefined ? own?.from ?? "new" : "newer";
  return { current, source, found, own, newer };
}

/** The location of a secret that has none yet. */
async function homeOf(
  staged: Installation,
  live: Installation | undefined,
  { source, own }: Values,
  { clone, store = staged.store }: UsableOptions,
): Promise<Location> {
  if (clone || (source !== "envelope" && source !== "new")) return "database";
  const known = (kid: string) =>
    Promise.resolve(
      [staged.versions, live?.versions].some((rows) => rows?.byKid(kid) !== undefined),
    );
  const length = own?.secret.reveal().length ?? longestValue(nextUse(staged, {}));
  return await locationForNew(staged.keyring, store, length, undefined, known);
}

/** A fleet member takes its versions from etcd, not from the backup. */
async function rejoin(
  staged: Installation,
  live: Installation | undefined,
  options: UsableOptions,
): Promise<Usable> {
  // The fleet's values open only with its KEK.
  const log = await settleKeys(staged, live, { ...options, newSecret: false })
    .catch(needsSharedKek);
  try {
    // The live database may be newer than the backup, and keeps its log.
    const fleet = knownFleet(staged.meta)?.id;
    if (fleet !== undefined && live !== undefined && knownFleet(live.meta)?.id === fleet) {
      await catchUp(live);
    }
    await catchUp(staged, { joins: true });
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `Cannot restore a machine of a fleet: ${error.message}`, {
      hint: "Nothing was changed. --store database brings the secret back as this machine's own; " +
        "`rekey store move etcd` shares it then",
      cause: error,
    });
  }
  staged.database.transaction(() => dropTransientState(staged));
  return { secretFrom: "etcd", lost: [], toKeyring: false, log };
}

function needsSharedKek(error: unknown): never {
  if (!isRekeyError(error) || !error.code.startsWith("kek_")) throw error;
  throw new RekeyError(error.code, error.message, {
    hint: "The other machines of the fleet have the KEK: bring it here and name it. " +
      "--store database --new-secret makes a secret of this machine's own",
    cause: error,
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

async function withHint(
  staged: Installation,
  live: Installation | undefined,
  error: RekeyError,
  { info, contents }: UsableOptions,
): Promise<RekeyError> {
  if (error.code.startsWith("kek_") && info.secret === undefined) {
    return await lostKek(staged, live, error);
  }
  if (info.secret === undefined || contents !== undefined) return error;
  return new RekeyError(error.code, error.message, {
    hint: "The backup has the secret sealed: give --identity-file or --passphrase-file",
    cause: error,
  });
}
