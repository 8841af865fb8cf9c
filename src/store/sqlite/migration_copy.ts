import { randomUUID } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { namesIn, removeFile } from "../../files/files.ts";
import { makePrivateFile, moveIntoPlace } from "../../files/private_files.ts";
import { OF_THIS_MACHINE, writeBackupTable } from "./backup_table.ts";
import type { Database } from "./database.ts";
import { tableNames, takeRows } from "./tables.ts";

/** What the copies of a database are made of. */
export interface CopyOptions {
  /** Number of migrations that were applied to the database. */
  readonly schema: number;
  /** rekey's tables, each before those that refer to it. */
  readonly tables: readonly string[];
  /** Makes a database of that schema in an empty file. */
  create(path: string): Database;
}

/**
 * Copies rekey's tables before they are migrated, to a private file beside the database: what the older rekey restores
 * after a downgrade. Sealed values are in it, so it goes with the first value that is destroyed
 * ({@linkcode removeMigrationCopies}). Call it in the transaction that migrates.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be written.
 */
export function copyBeforeMigration(database: Database, options: CopyOptions): void {
  const app = database.prepare("SELECT value FROM rekey_meta WHERE key = 'app'").get()?.value;
  // A database without a secret.
  if (app === undefined) return;
  try {
    removeMigrationCopies(database.path);
    write(database, `${database.path}.schema${options.schema}.backup`, String(app), options);
  } catch (error) {
    const { code, message } = asRefusal(error);
    throw new RekeyError(code, `Cannot keep a copy before the database is migrated: ${message}`, {
      hint: "Nothing was changed. Free some space beside the database, then run the command again",
      cause: error,
    });
  }
}

function write(database: Database, path: string, app: string, options: CopyOptions): void {
  const partial = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  makePrivateFile(partial);
  try {
    const copy = options.create(partial);
    try {
      copy.transaction(() => {
        const there = tableNames(copy);
        const tables = options.tables.filter((name) =>
          !OF_THIS_MACHINE.includes(name) && there.includes(name)
        );
        for (const table of tables) takeRows(copy, database, table);
        const made_at = rfc3339(Date.now());
        writeBackupTable(copy, { app, kind: "manual", made_at, database: database.path });
      });
    } finally {
      copy.close();
    }
    moveIntoPlace(partial, path, true);
  } finally {
    for (const end of ["", "-journal"]) removeFile(partial + end);
  }
}

/** Deletes the copies that were made before migrations, and what a killed command has left of one. */
export function removeMigrationCopies(databasePath: string): void {
  const name = RegExp.escape(basename(databasePath));
  const copies = new RegExp(
    `^(${name}\\.schema\\d+\\.backup|\\.${name}\\.schema\\d+\\.backup\\..*)$`,
  );
  const folder = dirname(databasePath);
  for (const found of namesIn(folder)) if (copies.test(found)) removeFile(join(folder, found));
}
