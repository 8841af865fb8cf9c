import { RekeyError } from "../core/errors.ts";
import { sealedSlot } from "../secret/retrieval.ts";
import type { BackupInfo } from "../store/backup_file.ts";
import type { Installation, StoreChoice } from "../store/installation.ts";
import { locationForNew } from "../store/location.ts";
import { numberedSlot } from "../store/secret_store.ts";
import type { Version } from "../store/versions.ts";
import type { Contents } from "./envelope.ts";
import { settleKeys } from "./keys.ts";
import { findValues, type Found, newerInKeyring } from "./values.ts";

/** What {@linkcode makeUsable} goes by. */
export interface UsableOptions {
  readonly info: BackupInfo;
  readonly contents: Contents | undefined;
  readonly newSecret: boolean;
  readonly store?: StoreChoice | undefined;
}

/** Where the secret of a restored machine comes from. */
export interface Usable {
  /** `newer`: the keyring held a newer version than the backup; `new`: one is still to be made. */
  readonly secretFrom: Found["from"] | "newer" | "new";
  /** Versions in a grace window whose values could not be had. */
  readonly lost: Version[];
}

/**
 * Makes a staged backup what the machine's database is to be: with keys that are at hand, and the values of
 * its versions in their places.
 *
 * @param live the database that it is to replace.
 * @throws {RekeyError} when it cannot be made usable.
 */
export async function makeUsable(
  staged: Installation,
  live: Installation | undefined,
  options: UsableOptions,
): Promise<Usable> {
  const current = staged.versions.current();
  if (current === undefined) throw empty();
  // Before the keys are exchanged: sealed values open with the backup's own KEK.
  const { found, lacking } = await findValues(staged, options.contents);
  // Where there is a database, its operator has decided for the backup and against what is newer.
  const newer = live?.versions.current() === undefined ? await newerInKeyring(staged) : undefined;
  const reason = lacking.get(current.version);
  if (reason !== undefined && newer === undefined && !options.newSecret) {
    throw withHint(reason, options);
  }
  await settleKeys(staged, live, options.contents);
  // A later rotation may have ended grace windows too.
  const kept = newer === undefined ? found : [];
  await place(staged, live, kept, options.store);
  const { versions, meta } = staged;
  const stays = (row: Version) => kept.some((one) => one.row.version === row.version);
  const lost = versions.previous().filter((row) => !stays(row));
  staged.database.transaction(() => {
    const now = staged.now();
    const pending = versions.pending();
    for (const row of pending === undefined ? lost : [...lost, pending]) versions.retire(row, now);
    for (const key of MOMENTARY) meta.remove(key);
    if (newer === undefined) return;
    versions.retire(current, now);
    versions.take(adopted(current, newer.version, newer.secret.kid, now));
  });
  const own = kept.find(({ row }) => row.version === current.version);
  return { secretFrom: newer !== undefined ? "newer" : own?.from ?? "new", lost };
}

// What was going on when the backup was made is not going on now.
const MOMENTARY = ["destroying", "stale_kek", "keyring_retry_at"] as const;

/** Puts what only the envelope had into its store, and seals the rest under the KEK of now. */
async function place(
  staged: Installation,
  live: Installation | undefined,
  found: Found[],
  choice: StoreChoice = staged.store,
): Promise<void> {
  const { database, keyring, sealed, versions } = staged;
  const known = (kid: string) => [versions, live?.versions].some((rows) => rows?.byKid(kid));
  const homeless = found.some(({ from }) => from === "envelope");
  const home = homeless ? await locationForNew(keyring, choice, undefined, known) : "database";
  sealed.dropAll();
  for (const { row, secret, from } of found) {
    const location = from === "envelope" ? home : from;
    if (from === "envelope" && location === "keyring") {
      const there = live?.versions.byKid(row.kid);
      if (there !== undefined) live?.database.transaction(() => live.versions.markUnsynced(there));
      await keyring.write(numberedSlot(row), secret);
    }
    const copy = location === "database" || staged.mirrors()
      ? await sealed.seal(sealedSlot(row), secret)
      : undefined;
    database.transaction(() => {
      versions.relocate(row, location);
      if (copy !== undefined) sealed.put(sealedSlot(row), copy);
    });
  }
}

function adopted(base: Version, version: number, kid: string, now: number): Version {
  return {
    ...base,
    version,
    kid,
    state: "current",
    location: "keyring",
    origin: "adopted",
    created_at: now,
    activated_at: now,
    reason: "found in the keyring by restore",
    request_id: null,
    replaces: base.version,
    synced: 0,
  };
}

function empty(): RekeyError {
  return new RekeyError("backup_unusable", "Cannot use the backup: it has no current version", {
    hint: "Nothing was changed; try another backup",
  });
}

function withHint(error: RekeyError, { info, contents }: UsableOptions): RekeyError {
  if (info.secret === undefined || contents !== undefined) return error;
  return new RekeyError(error.code, error.message, {
    hint: "The backup has the secret sealed: give --identity-file or --passphrase-file",
    cause: error,
  });
}
