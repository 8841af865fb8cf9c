import {
  EVENTS,
  type Head,
  holdsHead,
  newestHead,
  readHead,
  showHead,
} from "../../audit/events.ts";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { knowsKid } from "../../store/known_apps.ts";
import type { KeyringStore } from "../../store/keyring/keyring_store.ts";

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
    const sound = [id, database, kid].every((text) => typeof text === "string") &&
      Number.isSafeInteger(since) && Number.isSafeInteger(version);
    return sound ? { id, database, since, version, kid, head: readHead(head) } : null;
  } catch (error) {
    if (error instanceof SyntaxError || isRekeyError(error, "secret_damaged")) return null;
    throw error;
  }
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
export async function keepNote(
  installation: Installation,
  kept: KeyringNote | null,
): Promise<boolean> {
  const { keyring, versions, database } = installation;
  const current = versions.current();
  if (current?.location !== "keyring") return true;
  const whole = kept?.head == null || wasRestored(installation) || holdsHead(database, kept.head);
  if (!whole) await recordLoss(installation, kept.head!);
  const { version, kid } = current;
  const since = kept?.since ?? version;
  const head = newestHead(database);
  const facts = { id: installation.id(), database: database.path, since, version, kid };
  if (installation.meta.get("note") === undefined) {
    database.transaction(() => installation.meta.set("note", "yes"));
  }
  await keyring.writeNote(JSON.stringify({ ...facts, head: head && showHead(head) }));
  if (wasRestored(installation)) database.transaction(() => installation.meta.remove("restored"));
  return whole;
}

/** Whether `restore` has replaced the log since the note was written: its head then differs rightly. */
export function wasRestored({ meta }: Installation): boolean {
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
