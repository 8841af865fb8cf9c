import { usageError } from "../core/errors.ts";
import { isStream, readInputText } from "../files/input_files.ts";
import { codeOf } from "../files/files.ts";
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
  if (isStream(path) || !isMissing(path)) return;
  throw usageError(
    `Cannot read the file of ${flag}: it does not exist`,
    "Name the file, and not what is in it, which would be seen by other users",
  );
}

function isMissing(path: string): boolean {
  try {
    return infoOf(path) === undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    // No file has such a name. What else keeps it from being looked at is said when it is read.
    return code === "ENAMETOOLONG";
  }
}

/** @throws {RekeyError} `usage` for an empty passphrase. */
export function notEmpty(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw usageError("Cannot use an empty passphrase", "Choose one");
}
