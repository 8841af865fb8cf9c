import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Database } from "./database.ts";

/**
 * Makes sure that no other program has a database open, before its file is taken away on a system where that cannot be
 * done with files that are open. SQLite leaves the mode with a write-ahead log for the only one that has it open; the
 * next one that opens it goes back to that mode.
 *
 * @param what what is so far known of the secret in it, for the hint.
 * @throws {RekeyError} `database_unusable` when another program has it open.
 */
export function mustBeAlone(database: Database, what = "Nothing was changed"): void {
  try {
    database.prepare("PRAGMA journal_mode = DELETE").get();
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    throw new RekeyError(
      "database_unusable",
      `Cannot delete ${database.path}: another program has it open`,
      {
        hint:
          `${what}. End the programs that have it open, such as \`rekey serve\`, and repeat the command`,
        cause: error,
      },
    );
  }
}
