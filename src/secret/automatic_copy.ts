import { takeRows } from "../store/sqlite/tables.ts";
import { basename, dirname, join } from "node:path";
import { rfc3339 } from "../core/clock.ts";
import { asRefusal, RekeyError } from "../core/errors.ts";
import { writeBackup } from "../store/backup_file.ts";
import { Database } from "../store/sqlite/database.ts";
import type { Installation } from "../store/installation.ts";
import { Meta, type MetaKey } from "../store/sqlite/meta.ts";
import { NEW_SCHEMA } from "../store/sqlite/new_schema.ts";
import { namesIn, removeFile, timeOf } from "../files/files.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isAhead } from "./age.ts";

/** How many automatic copies are kept. */
const COPIES_KEPT = 5;

// No sealed value, which a key could open later, and no temporary state.
const COPIED_META: readonly MetaKey[] = [
  ...["app", "id", "alg", "key_form", "policy", "store"] as const,
  "audit_retention",
];
const COPIED_TABLES = [
  "rekey_versions",
  "rekey_audit_counts",
  "rekey_verifications",
  "rekey_deliveries",
];

/**
 * Copies the version history to a file beside the database before a rotation, for `restore`. It holds no value, sealed
 * or not, no sessions and no audit rows, so that its cost does not grow with the database. Old copies are deleted. Call
 * it under the lock.
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
      hint: code === "database_damaged" ? DAMAGED : NO_SPACE,
      cause: error,
    });
  }
  for (const older of automaticCopies(database.path).slice(COPIES_KEPT)) removeFile(older);
}

const NO_SPACE = "Free some space, or rotate without a copy: --no-backup";
const DAMAGED = "In an incident rotate without a copy: --no-backup; " +
  "then `rekey doctor` says what is damaged, and `rekey restore` replaces the database";

function fill(path: string, { database, meta }: Installation): void {
  const copy = Database.create(path, NEW_SCHEMA);
  try {
    // As of one moment: what another machine has changed may be followed without the lock.
    database.snapshot(() =>
      copy.transaction(() => {
        for (const table of COPIED_TABLES) takeRows(copy, database, table);
        for (const key of COPIED_META) {
          const value = meta.get(key);
          if (value !== undefined) new Meta(copy).set(key, value);
        }
      })
    );
  } finally {
    copy.close();
  }
}

// The lock is held, so the process that wrote them was killed.
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
    // By time, since a new database starts at version 1; then by version.
    .map(([, version]) => ({ path: copyPath(databasePath, version!), version: Number(version) }))
    .map((copy) => ({ ...copy, time: timeOf(copy.path) }))
    // A copy with a time in the future, made by a clock that was ahead, sorts as the oldest.
    .map((copy) => isAhead(copy.time, Date.now()) ? { ...copy, time: 0 } : copy)
    .sort((a, b) => b.time - a.time || b.version - a.version)
    .map(({ path }) => path);
}

/** Whether a file's name is that of an automatic copy, which a later copy may replace. */
export function isAutomaticName(path: string): boolean {
  return /\.db\.v\d+\.backup$/.test(path);
}

function copyPath(databasePath: string, version: number | string): string {
  return `${databasePath}.v${version}.backup`;
}
