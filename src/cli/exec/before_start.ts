import type { SecretManager } from "../../secret/manager.ts";
import type { Handout } from "./handout.ts";
import type { HandoutNote } from "./handout_note.ts";
import type { KeysFile } from "./keys_file.ts";
import { versionsOf } from "./watch.ts";

/**
 * Records that the secret is handed out, and writes the file of keys, before the program can use either: a rotation that
 * begins afterwards names the program and waits for its file.
 */
export async function beforeStart(
  secrets: SecretManager,
  keysFile: KeysFile | undefined,
  note: Pick<HandoutNote, "begin" | "setKeys">,
  given: Handout,
): Promise<void> {
  if (keysFile !== undefined) await fill(keysFile, secrets);
  await note.begin(given);
  // A rotation may have begun before it could know of the file.
  if (keysFile !== undefined && await fill(keysFile, secrets)) await note.setKeys(keysFile.kids);
}

/** Brings the file up to date. @returns whether it was written. @throws {RekeyError} when the current key cannot be in it. */
async function fill(keysFile: KeysFile, secrets: SecretManager): Promise<boolean> {
  const versions = versionsOf((await secrets.open()).installation);
  const isWritten = await keysFile.update(versions);
  keysFile.mustHold(versions.current.kid);
  return isWritten;
}
