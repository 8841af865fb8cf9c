import { takeRows } from "../store/sqlite/row_transfer.ts";
import { basename, dirname, join } from "node:path";
import { rfc3339 } from "../core/clock.ts";
import { asRefusal, RekeyError } from "../core/errors.ts";
import { writeBackup } from "../store/backup_file.ts";
import { Database } from "../store/sqlite/database.ts";
import type { Installation } from "../store/installation.ts";
import { Meta, type MetaKey } from "../store/sqlite/meta.ts";
import { namesIn, removeFile } from "../files/private_files.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isAhead } from "./age.ts";
import { timeOf } from "../files/file_info.ts";

/** How many automatic copies are kept. */
const COPIES_KEPT = 5;

// Nothing sealed, so nothing that any key opens later; and nothing of how things stand at this moment only.
const COPIED_META: readonly MetaKey[] = ["app", "id", "alg", "key_form", "policy", "store"];
const COPIED_TABLES = ["rekey_versions", "rekey_audit_counts", "rekey_verifications"];

/**
 * Copies what is known of the versions to a file beside the database, before a rotation: `restore` brings
 * it back when the database is lost. It holds no value, sealed or not, and neither sessions nor audit rows:
 * a rotation costs the same at any size. The oldest copies are deleted. Call it under the lock.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be written.
 */
export async function keepCopy(installation: Installation, old: Version): Promise<void> {
  const { database, environment } = installation;
  const path = copyPath(database.path, old.version);
  const made_at = rfc3339(installation.now());
  const info = {
    app: environment.app.name,
    kind: "automatic",
    made_at,
    database: database.path,
  } as const;
  try {
    installation.id();
    removeUnfinished(database.path);
    await writeBackup(path, info, true, (partial) => fill(partial, installation));
  } catch (error) {
    const { code, message } = asRefusal(error);
    throw new RekeyError(code, `Cannot keep a copy before the rotation: ${message}`, {
      hint: "Free some space, or rotate without a copy: --no-backup",
      cause: error,
    });
  }
  for (const older of automaticCopies(database.path).slice(COPIES_KEPT)) removeFile(older);
}

function fill(path: string, { database, meta }: Installation): void {
  const copy = Database.create(path);
  try {
    copy.transaction(() => {
      for (const table of COPIED_TABLES) takeRows(copy, database, table);
      for (const key of COPIED_META) {
        const value = meta.get(key);
        if (value !== undefined) new Meta(copy).set(key, value);
      }
    });
  } finally {
    copy.close();
  }
}

// The lock is held: who was at them has been killed.
function removeUnfinished(databasePath: string): void {
  const folder = dirname(databasePath);
  const prefix = `.${basename(databasePath)}.v`;
  for (const name of namesIn(folder)) if (name.startsWith(prefix)) removeFile(join(folder, name));
}

/** Automatic copies of a database, newest first. */
export function automaticCopies(databasePath: string): string[] {
  const folder = dirname(databasePath);
  const pattern = new RegExp(`^${RegExp.escape(basename(databasePath))}\\.v(\\d+)\\.backup$`);
  return namesIn(folder).map((name) => pattern.exec(name)).filter((found) => found !== null)
    // By time, since a new database counts from 1; copies of one instant by number.
    .map(([name, version]) => ({ path: join(folder, name), version: Number(version) }))
    .map((copy) => ({ ...copy, time: timeOf(copy.path) }))
    // One that a clock which was ahead has made is not newer than all that come after it.
    .map((copy) => isAhead(copy.time, Date.now()) ? { ...copy, time: 0 } : copy)
    .sort((a, b) => b.time - a.time || b.version - a.version)
    .map(({ path }) => path);
}

/** Whether a file's name is one that automatic copies have: a later one may replace it. */
export function isAutomaticName(path: string): boolean {
  return /\.db\.v\d+\.backup$/.test(path);
}

function copyPath(databasePath: string, version: number): string {
  return `${databasePath}.v${version}.backup`;
}
