import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot, numberedSlot, type Slot } from "../store/secret_store.ts";
import type { Version } from "../store/versions.ts";

/**
 * Makes the keyring hold what the database says: the current version under the account that other
 * programs read, versions in a grace window under their numbers, nothing else of ours. It looks at
 * kids, so it can be repeated after any interruption. Call it under the lock.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used; the rest is left for later.
 */
export async function reconcileKeyring(installation: Installation): Promise<void> {
  const unsynced = installation.versions.unsynced();
  // Values that are still needed are brought to safety before anything is overwritten or deleted.
  for (const version of unsynced) await placeGrace(installation, version);
  for (const version of unsynced) await placeCurrent(installation, version);
  for (const version of unsynced) await clear(installation, version);
}

async function placeGrace({ keyring }: Installation, version: Version): Promise<void> {
  if (version.state !== "previous" || version.location !== "keyring") return;
  if (await holds(keyring, numberedSlot(version), version)) return;
  const published = await readable(keyring.readPublished());
  if (published?.kid !== version.kid) return;
  await keyring.write(numberedSlot(version), published);
  await confirm(keyring, numberedSlot(version), version);
}

async function placeCurrent(installation: Installation, version: Version): Promise<void> {
  if (version.state !== "current" || version.location !== "keyring") return;
  const { keyring } = installation;
  if (await holds(keyring, currentSlot(version), version)) return;
  const secret = await readable(keyring.read(numberedSlot(version)));
  // Retrieval reports a lost value; there is nothing here to publish.
  if (secret?.kid !== version.kid) return;
  await keyring.write(currentSlot(version), secret);
  await confirm(keyring, currentSlot(version), version);
}

async function clear({ keyring, versions, database }: Installation, version: Version) {
  const kept = version.state === "previous" && version.location === "keyring";
  if (!kept) await keyring.remove(numberedSlot(version));
  if (version.state !== "current") {
    const published = await readable(keyring.readPublished());
    if (published?.kid === version.kid) await keyring.remove(currentSlot(version));
  }
  database.transaction(() => versions.markSynced(version));
}

type Reader = Pick<Installation["keyring"], "read">;

async function holds(keyring: Reader, slot: Slot, { kid }: Version): Promise<boolean> {
  return (await readable(keyring.read(slot)))?.kid === kid;
}

async function confirm(keyring: Reader, slot: Slot, version: Version): Promise<void> {
  if (await holds(keyring, slot, version)) return;
  throw new RekeyError("keyring_failed", "Cannot use the keyring: it did not keep a value", {
    hint: "Check the keyring service's own log",
  });
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
