import { isBehindFolder } from "../files/behind_folder.ts";
import { exposureOf } from "../files/private_files.ts";
import { exposedKey } from "../store/sealed/exposed_key.ts";
import type { Output } from "./output.ts";

/**
 * Warns when other users can read a file that a command was given for what is in it: a key, a passphrase, a secret; and
 * when only a folder keeps them from it, since a copy elsewhere has the file's own mode.
 */
export function warnOfExposed(path: string, output: Output): void {
  // Otherwise the command that changes the mode would read the name as a flag.
  const named = path.startsWith("-") ? `./${path}` : path;
  const exposure = exposureOf(named);
  // Those in containers cannot be changed.
  if (exposure === undefined || exposure.isReadOnly) return;
  const { shown, fix } = exposure;
  const what = isBehindFolder(named)
    ? `only a folder keeps other users from reading ${path}`
    : `other users can read ${path}`;
  output.warning(`${what} (${shown}); \`${fix}\` changes that`);
}

/** Warns once that others could read the key file until this command has changed its mode, unless a folder kept them out. */
export function warnOfExposedKey(path: string, shown: string, output: Output): void {
  if (!isBehindFolder(path)) output.warning(exposedKey(path, shown));
}
