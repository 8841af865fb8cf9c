import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { PEEK } from "../secret/unfinished.ts";
import { type BackupInfo, inspectBackup, stageBackup } from "../store/backup_file.ts";
import type { Environment } from "../store/installation.ts";
import { makePrivateFolder, removeFolder } from "../files/private_folders.ts";

/**
 * What a backup says of itself.
 *
 * @throws {RekeyError} `backup_unusable` when it is none of this app.
 */
export function peek(environment: Environment, path: string): Promise<BackupInfo> {
  return staged(environment, path, PEEK, (_stage, info) => Promise.resolve(info));
}

/**
 * Works on a copy of the backup in a folder of its own, beside the database.
 *
 * @param prefix of the folder's name: what a killed restoration has left is known by it.
 * @throws {RekeyError} `backup_unusable` when it is no backup of this app.
 */
export async function staged<T>(
  environment: Environment,
  path: string,
  prefix: string,
  work: (stage: string, info: BackupInfo) => Promise<T>,
): Promise<T> {
  const { name } = environment.app;
  const stage = join(environment.folders.data, `${prefix}${randomUUID()}`);
  makePrivateFolder(stage);
  try {
    const copy = join(stage, `${name}.db`);
    stageBackup(path, copy);
    const info = inspectBackup(copy);
    if (info.app !== name) throw otherApp(info.app);
    return await work(stage, info);
  } finally {
    removeFolder(stage);
  }
}

function otherApp(app: string): RekeyError {
  return new RekeyError(
    "backup_unusable",
    `Cannot use the backup: it is of app ${JSON.stringify(app)}`,
    { hint: "Name that app with --app" },
  );
}
