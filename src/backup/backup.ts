import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { explainFiles, removeFolder } from "../files/files.ts";
import { isStream, readStream } from "../files/input_files.ts";
import { makePrivateFile, makePrivateFolder } from "../files/private_files.ts";
import {
  type BackupInfo,
  inspectBackup,
  PEEK,
  refuseExisting,
  refuseOther,
  SPOOL,
  stageBackup,
  writeBackup,
} from "../store/backup_file.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import type { Location } from "../core/location.ts";
import { Buffer } from "node:buffer";
import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import { RekeyError, usageError } from "../core/errors.ts";
import { isAutomaticName } from "../secret/automatic_copy.ts";
import type { SecretManager } from "../secret/manager.ts";
import { ofSameVersions, versionsMark } from "../secret/same_versions.ts";
import { exclusively } from "../store/sqlite/turn.ts";
import { type Contents, type Readers, sealEnvelope } from "./envelope.ts";

/**
 * Writes a backup to a private temporary file, then passes it on piece by piece. The file is deleted as soon as it is
 * open for reading, so that nothing stays if this process is killed.
 */
export async function streamBackup<T>(
  environment: Environment,
  write: (path: string) => Promise<T>,
  take: (piece: Uint8Array) => void,
): Promise<T> {
  let file: Deno.FsFile | undefined;
  try {
    const result = await withSpool(environment, async (path) => {
      const result = await write(path);
      file = explainFiles(path, () => Deno.openSync(path));
      return result;
    });
    const buffer = new Uint8Array(65_536);
    for (let length; (length = file!.readSync(buffer)) !== null;) {
      take(buffer.subarray(0, length));
    }
    return result;
  } finally {
    file?.close();
  }
}

/** Calls `work` with a new private folder beside the database, and deletes the folder afterwards. */
async function withFolder<T>(
  { folders }: Environment,
  prefix: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = join(folders.data, `${prefix}${randomUUID()}`);
  makePrivateFolder(folder);
  try {
    return await work(folder);
  } finally {
    removeFolder(folder);
  }
}

function withSpool<T>(environment: Environment, work: (path: string) => Promise<T>): Promise<T> {
  Installation.prepareFolder(environment);
  return withFolder(environment, SPOOL, (folder) => work(join(folder, "backup.db")));
}

/**
 * Calls `work` with a backup's path; for stdin (`-`), a pipe or an open descriptor with the path of a temporary copy.
 *
 * @throws {RekeyError} `usage` when the stream is empty, `database_unusable` when the disk is full.
 */
export async function withBackupFile<T>(
  environment: Environment,
  path: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  if (!isStream(path)) return await work(path);
  return await withSpool(environment, async (copy) => {
    makePrivateFile(copy);
    using file = explainFiles(copy, () => Deno.openSync(copy, { write: true }));
    let begun = false;
    readStream(path, (piece) => {
      // A wrong file is refused before it fills the disk.
      if (!begun) refuseOther(piece);
      begun = true;
      explainFiles(copy, () => {
        for (let rest = piece; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
        // The folder's time shows that this process is still running.
        Deno.utimeSync(dirname(copy), new Date(), new Date());
      });
    });
    return await work(copy);
  });
}

/**
 * Writes a consistent copy of the database to a new file (0600) while other processes go on writing.
 *
 * @param readers who can open the secret in the backup. Without readers the copy holds what the database holds: a secret
 * in the database stays sealed under its KEK, a secret in the keyring is not included.
 * @throws {RekeyError} `backup_unusable` when the file exists, `database_unusable` when it cannot be written, a code
 * with exit status 4 when a value for the envelope cannot be read.
 */
export async function backUp(
  secrets: SecretManager,
  path: string,
  readers: Readers | undefined,
): Promise<{ info: BackupInfo; location: Location }> {
  const { installation } = await secrets.open();
  refuseExisting(path);
  if (isAutomaticName(path)) {
    throw usageError(
      `Cannot write ${path}: automatic copies have such names`,
      "Name another file, best in another folder",
    );
  }
  // Under the lock, so that the copy and its values are of the same versions.
  return await exclusively(installation.lockPath, async () => {
    const made = await ofSameVersions(
      () => versionsMark(installation),
      () => madeNow(secrets, installation, path, readers),
      (made) => made !== undefined,
    );
    if (made !== undefined) {
      return { info: made, location: (await secrets.open()).version.location };
    }
    throw new RekeyError("busy", "Cannot back up: other machines rotate the secret all the time", {
      hint: "Run the command again",
    });
  });
}

/** Makes a backup. @returns `undefined` when its values are not of the versions in it: then it was not made. */
async function madeNow(
  secrets: SecretManager,
  installation: Installation,
  path: string,
  readers: Readers | undefined,
): Promise<BackupInfo | undefined> {
  const mark = versionsMark(installation);
  const secret = readers && await sealEnvelope(await contents(secrets, installation), readers);
  const made_at = rfc3339(installation.now());
  const { database } = installation;
  const app = secrets.environment.app.name;
  const info: BackupInfo = { app, kind: "manual", made_at, database: database.path, secret };
  const audit = await installation.audit();
  installation.id();
  // What another machine has changed is followed without the lock.
  const copy = async (partial: string) => {
    await database.copyTo(partial);
    return secret === undefined || versionsMark(installation) === mark;
  };
  const row = { event: EVENTS.backedUp, reason: secret ? "with the secret" : undefined };
  const log = () => database.transaction(() => audit.append(row));
  return await writeBackup(path, info, false, copy, log) ? info : undefined;
}

async function contents(secrets: SecretManager, installation: Installation): Promise<Contents> {
  const versions: Contents["versions"][number][] = [];
  const prepared = installation.versions.prepared();
  for (const row of [...await secrets.verifying(), ...prepared === undefined ? [] : [prepared]]) {
    const { secret } = await secrets.valueOf(row);
    versions.push({ version: row.version, kid: row.kid, value: secret.reveal() });
  }
  const audit_key = Buffer.from(await installation.auditKey.read()).toString("base64");
  return { app: secrets.environment.app.name, audit_key, versions };
}

/**
 * Reads the description of a backup.
 *
 * @throws {RekeyError} `backup_unusable` when it is not a backup of this app.
 */
export function readBackupInfo(environment: Environment, path: string): Promise<BackupInfo> {
  return withStagedCopy(environment, path, PEEK, (_stage, info) => Promise.resolve(info));
}

/**
 * Calls `work` with a copy of the backup in a new folder beside the database, and deletes the folder afterwards.
 *
 * @param prefix of the folder's name, by which leftovers of a killed restore are recognised.
 * @throws {RekeyError} `backup_unusable` when it is not a backup of this app.
 */
export async function withStagedCopy<T>(
  environment: Environment,
  path: string,
  prefix: string,
  work: (stage: string, info: BackupInfo) => Promise<T>,
): Promise<T> {
  const { name } = environment.app;
  return await withFolder(environment, prefix, async (stage) => {
    const copy = join(stage, `${name}.db`);
    stageBackup(path, copy);
    const info = inspectBackup(copy);
    if (info.app === name) return await work(stage, info);
    throw new RekeyError(
      "backup_unusable",
      `Cannot use the backup: it belongs to app ${JSON.stringify(info.app)}`,
      { hint: "Name that app with --app" },
    );
  });
}
