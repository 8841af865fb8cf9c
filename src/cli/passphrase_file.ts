import { usageError } from "../core/errors.ts";
import { isStream, readInputText } from "../files/input_files.ts";
import { infoOf } from "../system/files.ts";
import { warnOfExposed } from "./exposed_inputs.ts";
import type { Output } from "./output.ts";

/**
 * The passphrase in a file, without its line end. Warns when other users can read the file.
 *
 * @throws {RekeyError} `usage` when it cannot be read, or is empty.
 */
export function passphraseIn(path: string, output: Output): string {
  mustBeThere(path, "--passphrase-file");
  warnOfExposed(path, output);
  return notEmpty(readInputText(path).replace(/\r?\n$/, ""));
}

/**
 * Checks that a file with a passphrase or a private key is there.
 *
 * @throws {RekeyError} `usage` without its name: the secret itself may have been given in place of the file.
 */
export function mustBeThere(path: string, flag: string): void {
  if (isStream(path) || infoOf(path) !== undefined) return;
  throw usageError(
    `Cannot read the file of ${flag}: it does not exist`,
    "Name the file, and not what is in it, which would be seen by other users",
  );
}

/** @throws {RekeyError} `usage` for an empty passphrase. */
export function notEmpty(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw usageError("Cannot use an empty passphrase", "Choose one");
}
