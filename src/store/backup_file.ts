import { randomUUID } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { MaybeAsync } from "../core/async.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import {
  explainFiles,
  isThere,
  namesIn,
  removeFile,
  removeFolder,
  sizeOf,
  timeOf,
} from "../files/files.ts";
import { copyPrivateFile, makePrivateFile, moveIntoPlace } from "../files/private_files.ts";
import { OF_THIS_MACHINE, writeBackupTable } from "./sqlite/backup_table.ts";
import { MIGRATIONS } from "./sqlite/schema.ts";
import { isPlain } from "./sqlite/soundness.ts";
import { explainSqlite } from "./sqlite/node_sqlite.ts";

/** The content of a backup's table `rekey_backup`. */
export interface BackupInfo {
  readonly app: string;
  /** `automatic`: made before a rotation, without sessions, audit rows and sealed values. */
  readonly kind: "manual" | "automatic";
  /** RFC 3339, UTC. */
  readonly made_at: string;
  /** Path of the original database. */
  readonly database?: string | undefined;
  /** The secret, encrypted in the age format: see `backup/envelope.ts`. */
  readonly secret?: string | undefined;
}

/**
 * Makes a backup file (0600) atomically: one file, not in WAL mode.
 *
 * @param replace whether an existing file may be replaced.
 * @param fill writes the database to the given path. It returns false when the file is not to be made.
 * @param finished runs when everything is written, before the file gets its name.
 * @returns whether it was made.
 * @throws {RekeyError} `backup_unusable` when the file exists, `database_unusable` when it cannot be written.
 */
export async function writeBackup(
  path: string,
  info: BackupInfo,
  replace: boolean,
  fill: (partial: string) => MaybeAsync<boolean | void>,
  finished: () => void = () => {},
): Promise<boolean> {
  const partial = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  mustHaveFolder(path);
  makePrivateFile(partial);
  try {
    if (await fill(partial) === false) return false;
    stamp(partial, info);
    finished();
    if (!moveIntoPlace(partial, path, replace)) throw alreadyExists(path);
    return true;
  } finally {
    for (const end of ["", "-journal", "-wal", "-shm"]) removeFile(partial + end);
  }
}

// Checked first: a later error would name the temporary file.
function mustHaveFolder(path: string): void {
  const folder = dirname(path);
  if (isThere(folder)) return;
  throw new RekeyError(
    "database_unusable",
    `Cannot write ${path}: the folder ${folder} does not exist`,
    {
      hint: "Make the folder, or name another one",
    },
  );
}

function stamp(path: string, info: BackupInfo): void {
  explainSqlite(path, () => {
    using sqlite = new DatabaseSync(path);
    // No sync: the file gets its name only when it is complete.
    sqlite.exec(
      "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; BEGIN; DROP TABLE IF EXISTS rekey_backup;",
    );
    for (const table of OF_THIS_MACHINE) sqlite.exec(`DELETE FROM ${table}`);
    writeBackupTable(sqlite, { ...info });
    sqlite.exec("COMMIT");
    mustBeWhole(sqlite);
  });
}

/**
 * Reads the backup info of the file at `path`, which no other process uses. A copy that `cp` made is a backup too.
 *
 * @throws {RekeyError} `backup_unusable` when the file is damaged or not a backup of rekey.
 */
export function inspectBackup(path: string): BackupInfo {
  try {
    return explainSqlite(path, () => {
      using sqlite = new DatabaseSync(path);
      // Never run code in a foreign file: SQLite's integrity check would run a virtual table's module on its rows.
      if (!isPlain(sqlite)) throw unusable("it has triggers, views or virtual tables");
      mustBeWhole(sqlite);
      mustBeOurs(sqlite);
      return infoOf(sqlite);
    });
  } catch (error) {
    if (isRekeyError(error, "backup_unusable")) throw error;
    throw unusable("it is damaged, or not an SQLite database", error);
  }
}

function mustBeWhole(sqlite: DatabaseSync): void {
  const rows = sqlite.prepare("PRAGMA integrity_check(1)").all();
  if (rows[0]?.integrity_check === "ok") return;
  throw unusable("SQLite's integrity check of it fails");
}

function mustBeOurs(sqlite: DatabaseSync): void {
  const { user_version } = sqlite.prepare("PRAGMA user_version").get() as { user_version: number };
  const versions = sqlite.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'rekey_versions'",
  ).get();
  if (versions === undefined || user_version < 1) {
    throw unusable("it is not a database of rekey");
  }
  if (user_version > MIGRATIONS.length) throw unusable("a newer rekey made it");
}

const RFC3339 = /^[-\dT:.]{19,29}Z$/;

function infoOf(sqlite: DatabaseSync): BackupInfo {
  const stamped = sqlite.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'rekey_backup'").get();
  const app = sqlite.prepare("SELECT value FROM rekey_meta WHERE key = 'app'").get()?.value;
  if (app === undefined) throw unusable("it names no app");
  const rows = stamped === undefined
    ? []
    : sqlite.prepare("SELECT key, value FROM rekey_backup").all();
  const { kind, made_at, database, secret } = Object.fromEntries(
    rows.map(({ key, value }) => [key, value]),
  );
  return {
    app: String(app),
    kind: kind === "automatic" ? kind : "manual",
    made_at: RFC3339.test(String(made_at)) ? String(made_at) : "an unknown time",
    ...database === undefined ? {} : { database: String(database) },
    ...secret === undefined ? {} : { secret: String(secret) },
  };
}

/** Copies a backup, so that reading it does not change the original. */
export function stageBackup(path: string, staged: string): void {
  if (!isThere(path)) throw unusable(`${path} does not exist`);
  // The copy would lack the newest changes: an older secret would come back.
  if (sizeOf(`${path}-wal`) > 0) {
    throw unusable("its write-ahead log lies beside it, as a copy by cp");
  }
  mustBeginAsDatabase(path);
  copyPrivateFile(path, staged);
}

const MAGIC = new TextEncoder().encode("SQLite format 3\0");

/**
 * Checks that a backup begins like an SQLite database, before it is copied.
 *
 * @throws {RekeyError} `backup_unusable` when it does not.
 */
export function refuseOther(beginning: Uint8Array): void {
  if (beginning.subarray(0, MAGIC.length).every((byte, at) => byte === MAGIC[at])) return;
  throw unusable("it is damaged, or not an SQLite database");
}

function mustBeginAsDatabase(path: string): void {
  // The copy refuses anything but a regular file.
  if (explainFiles(path, () => Deno.statSync(path)).isFile !== true) return;
  using file = explainFiles(path, () => Deno.openSync(path));
  const beginning = new Uint8Array(MAGIC.length);
  refuseOther(beginning.subarray(0, file.readSync(beginning) ?? 0));
}

function unusable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("backup_unusable", `Cannot use the backup: ${why}`, {
    hint: "Nothing was changed; try another backup",
    cause,
  });
}

/** @throws {RekeyError} `backup_unusable` when the file exists. */
export function refuseExisting(path: string): void {
  if (isThere(path)) throw alreadyExists(path);
}

function alreadyExists(path: string): RekeyError {
  return new RekeyError("backup_unusable", `Cannot write ${path}: it already exists`, {
    hint: "Name a new file, since a backup is never overwritten, or - for stdout",
  });
}

/** Prefix of folders in which `restore` works, under the lock. */
export const STAGE = ".rekey-restore-";

/** Prefix of folders in which a backup is read for a short time, without the lock. */
export const PEEK = ".rekey-peek-";

/** Prefix of folders that hold a backup on its way through a pipe, without the lock. */
export const SPOOL = ".rekey-pipe-";

// How old, in milliseconds, a folder can be that is in use. With the lock held no `restore` is at work. A pipe's folder
// changes with the last data, and the program behind it may ask a person for a passphrase.
const LONGEST_MS = [[STAGE, -1], [PEEK, 60_000], [SPOOL, 600_000]] as const;

/**
 * Deletes folders that a killed `restore` or `backup` left in the data folder: they hold values that no rotation
 * destroys. Call it under the lock.
 */
export function removeUnfinished(folder: string): void {
  for (const name of namesIn(folder)) {
    const longest = LONGEST_MS.find(([prefix]) => name.startsWith(prefix))?.[1];
    if (longest === undefined) continue;
    const path = join(folder, name);
    if (Math.abs(Date.now() - timeOf(path)) > longest) removeFolder(path);
  }
}
