import { randomBytes } from "node:crypto";
import { EVENTS } from "../audit/events.ts";
import { type Head, holdsHead, newestHead, readHead, showHead } from "../audit/head.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring_errors.ts";
import type { KeyringStore } from "../store/keyring_store.ts";

/** What rekey keeps in the keyring beside the values. Nothing in it is secret. */
export interface KeyringNote {
  /** Id of the installation that the keyring's entry belongs to. */
  readonly id: string;
  /** Path of that installation's database. */
  readonly database: string;
  /** The first version that was published in this keyring: it has seen every version from there on. */
  readonly since: number;
  /** Head of the audit log when the note was written. */
  readonly head: Head | null;
}

/**
 * The keyring's note, whosever it is; `null` when there is none or it cannot be read as one.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used.
 */
export async function readNote(keyring: KeyringStore): Promise<KeyringNote | null> {
  try {
    const { id, database, since, head } = JSON.parse(await keyring.readNote() ?? "null") ?? {};
    const sound = typeof id === "string" && typeof database === "string" &&
      Number.isSafeInteger(since);
    return sound ? { id, database, since, head: readHead(head) } : null;
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
 * Writes the note anew, with the newest head, when the current version lives in the keyring. A keyring
 * that fails keeps its older note, which is still true.
 *
 * @returns false when the log no longer holds the head that the note had: somebody has cut it off or put
 * an older copy of the database in its place. That is written down, since the note's head is now gone.
 */
export async function keepNote(installation: Installation): Promise<boolean> {
  const { keyring, versions, database } = installation;
  const current = versions.current();
  if (current?.location !== "keyring") return true;
  try {
    const id = idOf(installation);
    const kept = await ownNote(installation);
    const whole = kept?.head == null || holdsHead(database, kept.head);
    if (!whole) await recordLoss(installation, kept.head);
    const since = kept?.since ?? current.version;
    const head = newestHead(database);
    const note = { id, database: database.path, since, head: head && showHead(head) };
    await keyring.writeNote(JSON.stringify(note));
    return whole;
  } catch (error) {
    if (isRekeyError(error, ...KEYRING_UNAVAILABLE)) return true;
    throw error;
  }
}

async function recordLoss(installation: Installation, lost: Head): Promise<void> {
  const audit = await installation.audit();
  const reason = `the audit log does not hold the head kept in the keyring, ${showHead(lost)}`;
  installation.database.transaction(() => audit.append({ event: EVENTS.storageError, reason }));
}

function idOf({ database, meta }: Installation): string {
  const known = meta.get("id");
  if (known !== undefined) return known;
  const id = randomBytes(12).toString("base64url");
  database.transaction(() => meta.set("id", id));
  return id;
}
