import { EVENTS, type Head, newestHead, readHead, showHead } from "../../audit/events.ts";
import { holdsHead } from "../../audit/verify_chain.ts";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import { KEYRING_UNAVAILABLE } from "../../store/keyring/codes.ts";
import { type Algorithm, ALGORITHMS, isHmac } from "../../core/algorithms.ts";
import { KEY_FORMS, type KeyForm, type Secret } from "../../core/secret.ts";
import type { Installation } from "../../store/installation.ts";
import type { KeyringStore, Settled } from "../../store/keyring/keyring_store.ts";
import { knowsKid } from "../../store/known_apps.ts";
import type { HmacUsage } from "../backend.ts";
import { SILENT_KEYRING_RETRY_MS } from "../leftovers.ts";
import { isSameKeyring, keepUnsaved, noteOutcome, putBack } from "./unsaved.ts";
import { currentSlot, numberedSlot, type Slot } from "../../core/location.ts";
import { isNumbered, type Version } from "../../store/sqlite/versions.ts";

/**
 * Updates the keyring to the database: the current version in the entry that other programs read, versions in a grace
 * window and the prepared one in numbered entries, and no other version. It compares kids, so it can be repeated after
 * any interruption. Call it under the lock.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used; a later command continues.
 */
async function reconcileKeyring(installation: Installation): Promise<Reconciled> {
  const { database, versions, keyring } = installation;
  const unsynced = versions.unsynced();
  const note = await ownNote(installation);
  const usual = note !== null || await isSameKeyring(installation);
  const since = note?.since ?? (usual ? 0 : await publishedVersion(installation));
  // Values that are still needed are copied before any entry is overwritten or deleted.
  for (const version of unsynced) {
    if (!await placeNumbered(installation, version, usual)) return UNDONE;
  }
  if (!await placeCurrent(installation, usual)) return UNDONE;
  const placed = await settle(installation);
  if (placed !== undefined) await keepUnsaved(installation, placed, unsynced);
  // Before the rows are marked as synced, so that a failed note is written by the next command.
  const logWhole = await keepNote(installation, note);
  const cleared: Version[] = [];
  for (const version of unsynced) {
    if (await clear(installation, version, since)) cleared.push(version);
  }
  const settled = await settle(installation) ?? placed;
  const provider = settled === undefined ? await keyring.provider() : settled.provider;
  database.transaction(() => {
    cleared.forEach((version) => versions.markSynced(version));
    noteOutcome(installation, settled, unsynced, provider);
  });
  return { done: cleared.length === unsynced.length, logWhole };
}

// Without a change there is nothing to save.
async function settle({ keyring }: Installation): Promise<Settled | undefined> {
  return keyring.hasChanged ? await keyring.settle() : undefined;
}

/** Result of updating the keyring. */
export interface Reconciled {
  /** Whether the keyring is up to date; if not, it may be another keyring than the usual one. */
  readonly done: boolean;
  /** False when the log no longer holds the head that the keyring had kept of it. */
  readonly logWhole: boolean;
}

// The keyring was not updated, and the log was not checked.
const UNDONE: Reconciled = { done: false, logWhole: true };

async function placeNumbered(
  installation: Installation,
  version: Version,
  usual: boolean,
): Promise<boolean> {
  const { keyring } = installation;
  if (!isNumbered(version) || version.location !== "keyring") return true;
  const [own, published] = [numberedSlot(version), currentSlot(version)];
  return await keyring.holds(own, version.kid) || await copy(keyring, published, own, version) ||
    (usual && await putBack(installation, version));
}

async function placeCurrent(installation: Installation, usual: boolean): Promise<boolean> {
  const { keyring, versions } = installation;
  const version = versions.current();
  if (version?.location !== "keyring") return true;
  const [published, own] = [currentSlot(version), numberedSlot(version)];
  return await keyring.holds(published, version.kid) ||
    await copy(keyring, own, published, version) ||
    (usual && await putBack(installation, version));
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

// A keyring without a note: it has seen the version that it publishes, if that is this installation's.
async function publishedVersion({ keyring, versions }: Installation): Promise<number> {
  const published = await readable(keyring.readPublished());
  const found = published === null ? undefined : versions.byKid(published.kid);
  return found?.version ?? Infinity;
}

/** Deletes entries that the version's state does not need; `false` when this may be the wrong keyring. */
async function clear({ keyring }: Installation, version: Version, since: number): Promise<boolean> {
  const inKeyring = version.location === "keyring";
  const published = version.state === "current" && inKeyring;
  const numbered = isNumbered(version) && inKeyring;
  let removed = !numbered && await keyring.remove(numberedSlot(version));
  if (!published && await keyring.holds(currentSlot(version), version.kid)) {
    removed = await keyring.remove(currentSlot(version)) || removed;
  }
  // A version that was published is in some keyring: one that never saw it and does not hold it is another keyring.
  const elsewhere = !published && !numbered && version.activated_at !== null && !removed &&
    version.version < since;
  return !elsewhere;
}

// A damaged value belongs to no version, and counts as missing.
async function readable(reading: Promise<Secret | null>): Promise<Secret | null> {
  try {
    return await reading;
  } catch (error) {
    if (isRekeyError(error, "secret_damaged")) return null;
    throw error;
  }
}

/** Updates the keyring if it can be used; if not, a later command does. */
export async function tryReconcile(installation: Installation): Promise<Reconciled> {
  const { database, meta } = installation;
  try {
    const done = await reconcileKeyring(installation);
    if (meta.get("keyring_retry_at")) database.transaction(() => meta.remove("keyring_retry_at"));
    return done;
  } catch (error) {
    if (!isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
    if (error.code === "keyring_timeout") {
      const retryAt = String(installation.now() + SILENT_KEYRING_RETRY_MS);
      database.transaction(() => meta.set("keyring_retry_at", retryAt));
    }
    return UNDONE;
  }
}

/** rekey's note in the keyring, beside the values. It is not secret. */
export interface KeyringNote {
  /** Id of the installation that the keyring's entry belongs to. */
  readonly id: string;
  /** Path of that installation's database. */
  readonly database: string;
  /** The first version that was published in this keyring, which has seen every later one. */
  readonly since: number;
  /** The version that was current when the note was written. */
  readonly version: number;
  readonly kid: string;
  /** How that version is used; absent from the note of an older rekey. */
  readonly alg?: Algorithm | undefined;
  readonly keyForm?: KeyForm | undefined;
  /** kid of its tokens, if that is another one. */
  readonly tokenKid?: string | undefined;
  /** Head of the audit log when the note was written. */
  readonly head: Head | null;
}

/**
 * The keyring's note, of any installation; `null` when it is missing or invalid.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used.
 */
export async function readNote(keyring: KeyringStore): Promise<KeyringNote | null> {
  try {
    const note = JSON.parse(await keyring.readNote() ?? "null") ?? {};
    const { id, database, since, version, kid, head } = note;
    const { alg, key_form: keyForm, token_kid: tokenKid } = note;
    const sound = [id, database, kid].every((text) => typeof text === "string") &&
      Number.isSafeInteger(since) && Number.isSafeInteger(version);
    const use = ALGORITHMS.includes(alg) && KEY_FORMS.includes(keyForm) ? { alg, keyForm } : {};
    const named = typeof tokenKid === "string" ? { tokenKid } : {};
    const known = { id, database, since, version, kid, ...use, ...named };
    return sound ? { ...known, head: readHead(head) } : null;
  } catch (error) {
    if (error instanceof SyntaxError || isRekeyError(error, "secret_damaged")) return null;
    throw error;
  }
}

/** How a value is used, as far as that is known. */
export interface NotedUse extends HmacUsage {
  readonly tokenKid?: string | undefined;
}

/** How a value of the keyring is used, as its note has it; nothing is known of a value that the note is not about. */
export function notedUse(note: KeyringNote | null, secret: Secret): NotedUse {
  const { kid, alg, keyForm, tokenKid } = note ?? {};
  const isKnown = kid === secret.kid && alg !== undefined && keyForm !== undefined;
  if (!isKnown || !secret.suits(alg, keyForm)) return {};
  return isHmac(alg) ? { alg, keyForm } : { alg, tokenKid };
}

/** The keyring's note, if it is this installation's. */
export async function ownNote({ keyring, meta }: Installation): Promise<KeyringNote | null> {
  const note = await readNote(keyring);
  return note?.id === meta.get("id") ? note : null;
}

/**
 * Writes the note again with the newest head, when the current version lives in the keyring.
 *
 * @param kept this installation's present note.
 * @returns false when the log no longer holds the head in that note: the log was truncated, or the database was replaced
 * by an older copy. This is logged, since the new note replaces the head.
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used.
 */
async function keepNote(
  installation: Installation,
  kept: KeyringNote | null,
): Promise<boolean> {
  const { keyring, versions, database } = installation;
  const current = versions.current();
  if (current?.location !== "keyring") return true;
  const whole = kept?.head == null || wasRestored(installation) ||
    holdsHead(database, await installation.auditKey.read(), kept.head);
  if (!whole) await recordLoss(installation, kept.head!);
  const { version, kid, alg, key_form, token_kid } = current;
  const since = kept?.since ?? version;
  const head = newestHead(database);
  const use = { alg, key_form, token_kid };
  const facts = { id: installation.id(), database: database.path, since, version, kid, ...use };
  if (installation.meta.get("note") === undefined) {
    database.transaction(() => installation.meta.set("note", "yes"));
  }
  await keyring.writeNote(JSON.stringify({ ...facts, head: head && showHead(head) }));
  if (wasRestored(installation)) database.transaction(() => installation.meta.remove("restored"));
  return whole;
}

/** Whether `restore` has replaced the log since the note was written: its head then differs rightly. */
function wasRestored({ meta }: Installation): boolean {
  return meta.get("restored") !== undefined;
}

/**
 * Whether this installation may replace the keyring's entry: it holds one of its versions, and no other existing
 * database has that version.
 */
export async function mayReplace(installation: Installation, kid: string): Promise<boolean> {
  const { keyring, versions, meta } = installation;
  if (versions.byKid(kid) === undefined) return false;
  const note = await readNote(keyring);
  return note === null || note.id === meta.get("id") || !knowsKid(note.database, kid);
}

/** The head of the audit log in the keyring's note, or why the keyring cannot be read. */
export async function keptHead(
  installation: Installation,
  { location }: Version,
): Promise<{ head: Head | null; unavailable?: RekeyError }> {
  if (location !== "keyring" || wasRestored(installation)) return { head: null };
  try {
    return { head: (await ownNote(installation))?.head ?? null };
  } catch (error) {
    if (isRekeyError(error)) return { head: null, unavailable: error };
    throw error;
  }
}

async function recordLoss(installation: Installation, lost: Head): Promise<void> {
  const audit = await installation.audit();
  const reason = `the audit log does not hold the head kept in the keyring, ${showHead(lost)}`;
  installation.database.transaction(() => audit.append({ event: EVENTS.storageError, reason }));
}
