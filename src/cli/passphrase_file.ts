import { usageError } from "../core/errors.ts";
import { readInputText } from "../files/input_files.ts";

/** The passphrase in a file, without its line end. @throws {RekeyError} `usage` when it cannot be read, or is empty. */
export function passphraseIn(path: string): string {
  return notEmpty(readInputText(path).replace(/\r?\n$/, ""));
}

/** @throws {RekeyError} `usage` for an empty passphrase. */
export function notEmpty(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw usageError("Cannot use an empty passphrase", "Choose one");
}
