import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { recover } from "../secret/recover.ts";
import { type BackupInfo, inspectBackup, PEEK, stageBackup } from "../store/backup_file.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { makePrivateFolder } from "../files/private_files.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { mayReplace } from "../secret/keyring/reconcile.ts";
import { backendOf } from "../cluster/backend.ts";
import { relocate } from "../secret/move.ts";
import { retrieve } from "../secret/retrieve.ts";
import { warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { changeSecret } from "../secret/rotate.ts";
import { locationForNew } from "../store/location_choice.ts";
import { currentSlot, numberedSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Usable } from "./usable.ts";
import { removeFolder } from "../files/files.ts";

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
    `Cannot use the backup: it belongs to app ${JSON.stringify(app)}`,
    { hint: "Name that app with --app" },
  );
}

/**
 * Finishes a restore once the database is in place. A failure here does not undo the restore; the next command does the
 * rest.
 *
 * @param foreignVersions versions of another installation's database that was replaced.
 * @returns the current version, and warnings if it could be lost.
 */
export async function settle(
  environment: Environment,
  usable: Usable,
  foreignVersions: readonly Version[],
): Promise<{ version: Version; risks: string[] }> {
  const installation = Installation.open(environment, { locked: true });
  try {
    const version = await settleVersion(installation, usable, foreignVersions);
    return { version, risks: warningsOfRisk(installation) };
  } finally {
    installation.close();
  }
}

async function settleVersion(
  installation: Installation,
  { secretFrom, toKeyring }: Usable,
  foreignVersions: readonly Version[],
): Promise<Version> {
  await removeForeign(installation, foreignVersions).catch(noKeyring);
  // The settings given to this command are remembered.
  await backendOf(installation).remember(installation).catch(asRefusal);
  republish(installation);
  await recover(installation, "held");
  const restored = installation.versions.current();
  if (restored === undefined) throw new Error("The restored version is not there");
  if (secretFrom === "new") return await replaceLost(installation, restored);
  if (toKeyring) await moveToKeyring(installation);
  const version = installation.versions.current() ?? restored;
  await retrieve(installation, version, () => {}).catch(unlessKeyring);
  return version;
}

// The keyring still has the audit head of the replaced database.
function republish({ versions, database }: Installation): void {
  const current = versions.current();
  if (current?.location === "keyring") database.transaction(() => versions.markUnsynced(current));
}

// The operator's choice for later versions is kept.
async function moveToKeyring(installation: Installation): Promise<void> {
  const { store } = installation;
  await relocate(installation, "keyring", () => {}).catch(noKeyring);
  installation.database.transaction(() => installation.meta.set("store", store));
}

/** Deletes the keyring items of another installation whose database was replaced. */
async function removeForeign(
  { database, keyring, versions }: Installation,
  rows: readonly Version[],
): Promise<void> {
  for (
    const row of rows.filter(({ location, state }) => location === "keyring" && state !== "retired")
  ) {
    for (const slot of [numberedSlot(row), currentSlot(row)]) {
      if (await keyring.holds(slot, row.kid)) await keyring.remove(slot);
    }
    const taken = versions.byKid(row.kid);
    if (taken?.state === "retired") database.transaction(() => versions.markSynced(taken));
  }
}

async function replaceLost(installation: Installation, old: Version): Promise<Version> {
  const { keyring, store } = installation;
  const known = (kid: string) => mayReplace(installation, kid);
  const location = await locationForNew(keyring, store, undefined, known);
  const reason = "the restored secret could not be had";
  return (await changeSecret(installation, { old, location, reason, graceMs: 0 })).version;
}

// A locked keyring still has the value; any other read failure means that the restore failed.
function unlessKeyring(error: unknown): void {
  if (!isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
}

/** For `catch` in a step that is skipped without a keyring. @throws errors that are bugs. */
export function noKeyring(error: unknown): null {
  asRefusal(error);
  return null;
}
