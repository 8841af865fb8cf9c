import { usageError } from "../core/errors.ts";
import { readInputText } from "../files/input_files.ts";
import { exposureOf } from "../files/private_files.ts";
import { printable } from "./format.ts";
import type { Output } from "./output.ts";

/**
 * The passphrase in a file, without its line end. Warns when other users can read the file.
 *
 * @throws {RekeyError} `usage` when it cannot be read, or is empty.
 */
export function passphraseIn(path: string, output: Output): string {
  const exposure = exposureOf(path);
  // Those in containers cannot be changed.
  if (exposure !== undefined && !exposure.isReadOnly) {
    const { shown, fix } = exposure;
    output.warning(`other users can read ${printable(path)} (${shown}); \`${fix}\` changes that`);
  }
  return notEmpty(readInputText(path).replace(/\r?\n$/, ""));
}

/** @throws {RekeyError} `usage` for an empty passphrase. */
export function notEmpty(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw usageError("Cannot use an empty passphrase", "Choose one");
}
