import type { DatabaseSync } from "node:sqlite";
import { RekeyError } from "../core/errors.ts";
import { MIGRATIONS } from "./schema.ts";

// Why a file is not used as rekey's database, in words for the operator.

/** Whether another program has put a trigger on a table of rekey's. */
export function hasTriggers(sqlite: DatabaseSync): boolean {
  return sqlite.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND (tbl_name = 'settings' OR tbl_name GLOB 'rekey_*')",
  ).get() !== undefined;
}

/** Another program's trigger stands in the way. */
export function triggered(path: string, cause: unknown): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot write ${path}: a trigger of another program forbids it`,
    { hint: "Drop the trigger, or name a folder of rekey's own with --data-dir", cause },
  );
}

/** A later rekey has migrated it. @param applied how many migrations were applied. */
export function newer(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_newer",
    `Cannot use ${path}: its schema is ${applied}, this rekey knows ${MIGRATIONS.length}`,
    { hint: "Use the newer rekey that wrote it" },
  );
}

/** Its number was changed. */
export function renumbered(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_damaged",
    `Cannot use ${path}: another program has set its user_version to ${applied}`,
    { hint: `Set it back (PRAGMA user_version = ${MIGRATIONS.length}), or restore a backup` },
  );
}

/** An application numbers its own schema there. */
export function numberedByOthers(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot use ${path}: another program numbers its schema (${applied})`,
    { hint: "Name a folder of rekey's own with --data-dir" },
  );
}

/** An application has a table of that name, with other columns. */
export function otherSettings(path: string): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot use ${path}: its table settings is not (key, value, encrypted)`,
    { hint: "Name a folder of rekey's own with --data-dir" },
  );
}
