import { dirname, join } from "node:path";
import { EVENTS } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { destroy } from "../secret/destroy.ts";
import { readNote } from "../secret/keyring/note.ts";
import { removeUnfinished, STAGE } from "../secret/recover.ts";
import type { BackupInfo } from "../store/backup_file.ts";
import { Installation } from "../store/installation.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import { exclusively } from "../store/sqlite/lock.ts";
import { knowsKid } from "../store/known_apps.ts";
import { freeName, keepAside, moveIntoPlace } from "../files/file_moves.ts";
import { makePrivateFile } from "../files/private_files.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type Contents, openEnvelope, type Openers } from "./envelope.ts";
import { sameInstallation } from "./keys.ts";
import { carryOver, replaceRows } from "./merge.ts";
import { noKeyring, peek, settle, staged } from "./staging.ts";
import { makeUsable, type Usable, type UsableOptions } from "./usable.ts";

/** What the operator says of a restoration. */
export interface RestoreOptions {
  /** Whether what is there may be replaced. */
  readonly force: boolean;
  /** Whether to make a new secret when the backup's cannot be had. */
  readonly newSecret: boolean;
  readonly store?: StoreChoice | undefined;
  /** What the secret in the backup is opened with, if it is needed. */
  openers(info: BackupInfo): Promise<Openers | undefined>;
}

/** How a restoration ended. */
export interface Restored extends Usable {
  readonly info: BackupInfo;
  readonly version: Version;
  /** What the operator should know when the keyring may not have saved it. */
  readonly risks: readonly string[];
  /** The version that was current before, if there was one. */
  readonly replaced: Version | undefined;
  /** Where a damaged database was moved to. */
  readonly movedTo: string | undefined;
  /** Where a database was copied to whose audit log cannot go on. */
  readonly copiedTo: string | undefined;
}

/**
 * Brings a backup back. It is made usable in a folder of its own first: whole, its audit chain sound, its
 * secret at hand. Then one transaction (or one new file, where there is no database that can be used) is
 * the moment; tables of an application in the same database are left as they are.
 *
 * @throws {RekeyError} `already_initialised` when there is a secret and `force` is not given,
 * `backup_unusable`, `secret_missing` or `kek_…` when the backup cannot be made usable; nothing is changed
 * then.
 */
export async function restore(
  environment: Environment,
  path: string,
  options: RestoreOptions,
): Promise<Restored> {
  const lockPath = Installation.prepareFolder(environment);
  // Before the lock is taken: somebody may have to be asked for a passphrase.
  const contents = await envelopeOf(await peek(environment, path), options);
  return await exclusively(lockPath, () => {
    removeUnfinished(dirname(lockPath));
    return staged(
      environment,
      path,
      STAGE,
      (stage, info) => restoreFrom(environment, stage, { ...options, info, contents }),
    );
  });
}

async function restoreFrom(
  environment: Environment,
  stage: string,
  options: RestoreOptions & Omit<UsableOptions, "clone">,
): Promise<Restored> {
  const { info, force } = options;
  const live = await openLive(environment, force);
  const folders = { ...environment.folders, data: stage, dataNamed: false };
  const copy = Installation.open({ ...environment, folders }, { locked: true });
  let usable: Usable, movedTo: string | undefined, copiedTo: string | undefined;
  const replaced = live?.versions.current();
  const strangers = live === undefined || sameInstallation(copy, live) ? [] : live.versions.every();
  try {
    if (!force && live !== undefined) refuseReplacing(live, copy.versions.current());
    copy.database.dropBackupTable();
    if (!copy.database.isSound()) throw unsound();
    if (live !== undefined && sameInstallation(copy, live)) copy.borrow(live);
    const clone = await isClone(environment, info, copy);
    usable = await makeUsable(copy, live, { ...options, clone });
    carryOver(live, copy, usable.secretFrom === "etcd");
    const going = live !== undefined && sameInstallation(copy, live) ? live : undefined;
    if (usable.logLost) copiedTo = await keepLog(going, stage);
    movedTo = await goLive(environment, copy, live, info, usable.logLost);
  } finally {
    copy.close();
    live?.close();
  }
  const { version, risks } = await settle(environment, usable, strangers);
  return { ...usable, info, version, risks, replaced, movedTo, copiedTo };
}

/** Whether the database that was backed up is still there: then both are to be, without a common key. */
async function isClone(
  environment: Environment,
  info: BackupInfo,
  copy: Installation,
): Promise<boolean> {
  const { app, folders, keyring } = environment;
  const own = Installation.path(environment);
  const kid = copy.versions.current()?.kid;
  const note = await readNote(keyring).catch(noKeyring);
  const others = [info.database, Installation.defaultPath(app, folders), note?.database];
  return kid !== undefined &&
    others.some((path) => path !== undefined && path !== own && knowsKid(path, kid));
}

// A database that is damaged is what a backup is for.
async function openLive(
  environment: Environment,
  force: boolean,
): Promise<Installation | undefined> {
  try {
    const live = Installation.openExisting(environment, { locked: true });
    if (live === undefined) return undefined;
    if (!live.database.isSound()) {
      live.close();
      throw damaged(Installation.path(environment));
    }
    if (live.meta.get("destroying") === undefined) return live;
    await destroy(live);
    return undefined;
  } catch (error) {
    if (!isRekeyError(error, "database_damaged")) throw error;
    if (force) return undefined;
    throw new RekeyError(error.code, error.message, {
      hint: "`rekey restore --force` moves it aside and puts the backup in its place",
    });
  }
}

async function envelopeOf(
  info: BackupInfo,
  options: RestoreOptions,
): Promise<Contents | undefined> {
  if (info.secret === undefined) return undefined;
  const openers = await options.openers(info);
  if (openers === undefined) return undefined;
  const contents = await openEnvelope(info.secret, openers);
  if (contents.app === info.app) return contents;
  throw new RekeyError("backup_unusable", "Cannot use the backup: its secret is another app's", {
    hint: "Nothing was changed; try another backup",
  });
}

/** Keeps a database whose log cannot go on, and answers where. */
async function keepLog(live: Installation | undefined, stage: string): Promise<string | undefined> {
  if (live === undefined) return undefined;
  const partial = join(stage, "former");
  makePrivateFile(partial);
  await live.database.copyTo(partial);
  const path = freeName(`${live.database.path}.former`);
  moveIntoPlace(partial, path, false);
  return path;
}

/** The moment. Answers where a damaged database was moved to. */
async function goLive(
  environment: Environment,
  staged: Installation,
  live: Installation | undefined,
  { kind, made_at }: BackupInfo,
  logLost: boolean,
): Promise<string | undefined> {
  const lost = logLost ? "; the KEK was lost, and with it the key of the log before" : "";
  const reason = `${kind} backup of ${made_at}${lost}`;
  if (live !== undefined) {
    await replaceRows(live, staged, reason, logLost);
    return undefined;
  }
  const audit = await staged.audit();
  staged.database.transaction(() => audit.append({ event: EVENTS.restored, reason }));
  staged.database.dropBackupTable();
  const finished = `${staged.database.path}.finished`;
  await staged.database.copyTo(finished);
  const path = Installation.path(environment);
  const aside = keepAside(path, ["-wal", "-shm", "-journal"]);
  moveIntoPlace(finished, path, true);
  return aside;
}

function refuseReplacing(live: Installation, target: Version | undefined): void {
  const there = live.versions.current();
  // A value of an older application that was not adopted yet.
  if (there === undefined && live.sealed.rawValue() === undefined) return;
  const known = target && live.versions.byKid(target.kid);
  const revived = known?.state === "retired"
    ? `; version ${known.version}, which was rotated away, would verify again`
    : "";
  const what = there === undefined ? "an older application's" : `version ${there.version}`;
  throw new RekeyError(
    "already_initialised",
    `Cannot restore: there is a secret, ${what}${revived}`,
    { hint: "--force replaces it; `rekey backup` it first" },
  );
}

function damaged(path: string): RekeyError {
  return new RekeyError("database_damaged", `Cannot use ${path}: the database is damaged`);
}

function unsound(): RekeyError {
  return new RekeyError(
    "backup_unusable",
    "Cannot use the backup: its tables are not those of rekey",
    {
      hint: "Nothing was changed; try another backup",
    },
  );
}
