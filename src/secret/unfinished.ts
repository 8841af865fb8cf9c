import { join } from "node:path";
import { timeOf } from "../files/file_errors.ts";
import { namesIn, removeFolder } from "../files/private_files.ts";

/** How folders begin in which a restoration works; only one that holds the lock does. */
export const STAGE = ".rekey-restore-";

/** How folders begin in which a backup is looked at, for a moment and without the lock. */
export const PEEK = ".rekey-peek-";

/** How folders begin that hold a backup which goes through a pipe, without the lock. */
export const SPOOL = ".rekey-pipe-";

// Since something came out of the pipe last: a person may be asked for a passphrase then.
const LONGEST_PIPE_MS = 600_000;

const MOMENT_MS = 60_000;

/**
 * Deletes what restorations that were killed have left in the data folder: a copy of a backup has values
 * that no rotation destroys. Call it under the lock.
 */
export function removeUnfinished(folder: string): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const age = Math.abs(Date.now() - timeOf(path));
    const old = (name.startsWith(PEEK) && age > MOMENT_MS) ||
      (name.startsWith(SPOOL) && age > LONGEST_PIPE_MS);
    if (name.startsWith(STAGE) || old) removeFolder(path);
  }
}
