import { isRekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import type { KeyringStore } from "../keyring/keyring_store.ts";
import { keepNote, ownNote } from "./keyring_note.ts";
import { currentSlot, numberedSlot, type Slot } from "../core/secret_store.ts";
import type { Version } from "../store/versions.ts";

/**
 * Makes the keyring hold what the database says: the current version under the account that other
 * programs read, versions in a grace window under their numbers, nothing else of ours. It looks at
 * kids, so it can be repeated after any interruption. Call it under the lock.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used; the rest is left for later.
 */
export async function reconcileKeyring(installation: Installation): Promise<Reconciled> {
  const unsynced = installation.versions.unsynced();
  const note = await ownNote(installation);
  const since = note?.since ?? await publishedVersion(installation);
  // Values that are still needed are brought to safety before anything is overwritten or deleted.
  for (const version of unsynced) {
    if (!await placeGrace(installation, version)) return UNDONE;
  }
  if (!await placeCurrent(installation)) return UNDONE;
  // Before the rows are ticked off: a note that was not written is written by the next command.
  const logWhole = await keepNote(installation, note);
  const cleared: boolean[] = [];
  for (const version of unsynced) cleared.push(await clear(installation, version, since));
  return { done: cleared.every(Boolean), logWhole };
}

/** How bringing the keyring up to date ended. */
export interface Reconciled {
  /** Whether everything is in place; if not, this may be another keyring than the usual one. */
  readonly done: boolean;
  /** False when the log no longer holds the head that the keyring had kept of it. */
  readonly logWhole: boolean;
}

/** The keyring was not brought up to date; nothing is known of the log. */
export const UNDONE: Reconciled = { done: false, logWhole: true };

async function placeGrace({ keyring }: Installation, version: Version): Promise<boolean> {
  if (version.state !== "previous" || version.location !== "keyring") return true;
  const [own, published] = [numberedSlot(version), currentSlot(version)];
  return await keyring.holds(own, version.kid) || await copy(keyring, published, own, version);
}

async function placeCurrent({ keyring, versions }: Installation): Promise<boolean> {
  const version = versions.current();
  if (version?.location !== "keyring") return true;
  const [published, own] = [currentSlot(version), numberedSlot(version)];
  return await keyring.holds(published, version.kid) ||
    await copy(keyring, own, published, version);
}

async function copy(
  keyring: KeyringStore,
  from: Slot,
  to: Slot,
  version: Version,
): Promise<boolean> {
  const secret = await readable(keyring.read(from));
  if (secret?.kid !== version.kid) return false;
  return await keyring.keep(to, secret);
}

// A keyring without a note has seen what it publishes, if that is ours.
async function publishedVersion({ keyring, versions }: Installation): Promise<number> {
  const published = await readable(keyring.readPublished());
  const found = published === null ? undefined : versions.byKid(published.kid);
  return found?.version ?? Infinity;
}

/** Deletes what the version's state does not call for. */
async function clear(
  { keyring, versions, database }: Installation,
  version: Version,
  since: number,
) {
  const inKeyring = version.location === "keyring";
  const published = version.state === "current" && inKeyring;
  const numbered = version.state === "previous" && inKeyring;
  let removed = !numbered && await keyring.remove(numberedSlot(version));
  if (!published && await keyring.holds(currentSlot(version), version.kid)) {
    removed = await keyring.remove(currentSlot(version)) || removed;
  }
  // It was published in a keyring: one that has never seen it and does not hold it is another keyring.
  const elsewhere = !published && !numbered && version.activated_at !== null && !removed &&
    version.version < since;
  if (!elsewhere) database.transaction(() => versions.markSynced(version));
  return !elsewhere;
}

// A value that is no secret is nobody's: it is neither kept nor counted as found.
async function readable(reading: Promise<Secret | null>): Promise<Secret | null> {
  try {
    return await reading;
  } catch (error) {
    if (isRekeyError(error, "secret_damaged")) return null;
    throw error;
  }
}
