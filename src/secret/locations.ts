import type { Head } from "../audit/events.ts";
import { asRefusal, isRekeyError, type RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot } from "../core/secret_store.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { ownNote, wasRestored } from "./keyring_note.ts";
import { isPassingCopy } from "./unsaved.ts";

/** Where a version lives, whether it has a mirror copy, and what the keyring says. */
export async function placesOf(installation: Installation, version: Version) {
  const { store, sealed, keyring, database } = installation;
  const slot = currentSlot(version);
  const mirrored = version.location === "keyring" && sealed.sealedValue(slot) !== undefined &&
    !isPassingCopy(installation, version);
  const unavailable = await keyring.reach(slot).then(() => undefined, asRefusal);
  return { store, mirrored, keyring: unavailable, database: database.path };
}

/** The head of the audit log that the keyring keeps, or why the keyring cannot be asked. */
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
