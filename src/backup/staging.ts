import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { PEEK, recover } from "../secret/recover.ts";
import { type BackupInfo, inspectBackup, stageBackup } from "../store/backup_file.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { makePrivateFolder, removeFolder } from "../files/private_files.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { mayReplace } from "../secret/keyring/note.ts";
import { backendOf } from "../cluster/backend.ts";
import { relocate } from "../secret/move.ts";
import { retrieve } from "../secret/retrieve.ts";
import { warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { changeSecret } from "../secret/rotate.ts";
import { locationForNew } from "../store/location_choice.ts";
import { currentSlot, numberedSlot } from "../core/secret_store.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Usable } from "./usable.ts";

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

/**
 * What is left once the restored database is the one at its path. What can still fail here does not undo the
 * restoration: the next command does the rest.
 *
 * @param strangers versions of another installation's database, which was replaced.
 * @returns the version that is current, and what the operator should know when it could be lost.
 */
export async function settle(
  environment: Environment,
  usable: Usable,
  strangers: readonly Version[],
): Promise<{ version: Version; risks: string[] }> {
  const installation = Installation.open(environment, { locked: true });
  try {
    const version = await settleVersion(installation, usable, strangers);
    return { version, risks: warningsOfRisk(installation) };
  } finally {
    installation.close();
  }
}

async function settleVersion(
  installation: Installation,
  { secretFrom, toKeyring }: Usable,
  strangers: readonly Version[],
): Promise<Version> {
  await removeStrangers(installation, strangers).catch(noKeyring);
  // What this command was told is told for good.
  await backendOf(installation).remember(installation).catch(asRefusal);
  noteAnew(installation);
  await recover(installation, "held");
  const restored = installation.versions.current();
  if (restored === undefined) throw new Error("The restored version is not there");
  if (secretFrom === "new") return await replaceLost(installation, restored);
  if (toKeyring) await moveToKeyring(installation);
  const version = installation.versions.current() ?? restored;
  await retrieve(installation, version, () => {}).catch(unlessKeyring);
  return version;
}

// The keyring keeps the head of the log that was there before.
function noteAnew({ versions, database }: Installation): void {
  const current = versions.current();
  if (current?.location === "keyring") database.transaction(() => versions.markUnsynced(current));
}

// The operator's choice for later versions stays as it was.
async function moveToKeyring(installation: Installation): Promise<void> {
  const { store } = installation;
  await relocate(installation, "keyring", () => {}).catch(noKeyring);
  installation.database.transaction(() => installation.meta.set("store", store));
}

/** Deletes what another installation's database, which was replaced, had in the keyring. */
async function removeStrangers(
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

// A keyring that is locked just now has it all the same; a value that cannot be read is not restored.
function unlessKeyring(error: unknown): void {
  if (!isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
}

/** For a step that is left out when the keyring cannot be had. @throws what is no refusal. */
export function noKeyring(error: unknown): null {
  asRefusal(error);
  return null;
}
