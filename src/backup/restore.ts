import { dropBackupTable } from "../store/sqlite/tables.ts";
import { dirname, join } from "node:path";
import { EVENTS } from "../audit/events.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { destroy } from "../secret/destroy.ts";
import { type Revived, revivedOver } from "../secret/revived.ts";
import { readNote } from "../secret/keyring/reconcile.ts";
import { madeAhead, type MakeValue, newSecret, nextUse } from "../secret/next_use.ts";
import { type BackupInfo, PEEK, removeUnfinished, STAGE } from "../store/backup_file.ts";
import { Installation } from "../store/installation.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import { outlastLooks } from "../store/sqlite/path_look.ts";
import { exclusively } from "../store/sqlite/turn.ts";
import { isSamePlace } from "../files/real_place.ts";
import { knowsKid } from "../store/known_apps.ts";
import { freeName, keepAside } from "../files/files.ts";
import { makePrivateFile, moveIntoPlace } from "../files/private_files.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type Contents, openEnvelope, type Openers } from "./envelope.ts";
import { originalOf, sameInstallation } from "./keys.ts";
import { carryOver, isReplaced, noKeyring, replaceRows, settle } from "./replacement.ts";
import { makeUsable, type Usable, type UsableOptions } from "./usable.ts";
import { readBackupInfo, withStagedCopy } from "./backup.ts";

/** Options of a restore. */
interface RestoreOptions {
  /** Whether an existing secret may be replaced. */
  readonly force: boolean;
  /** Whether to make a new secret when the one in the backup is not available. */
  readonly newSecret: boolean;
  readonly store?: StoreChoice | undefined;
  /** Gets what opens the secret in the backup. */
  openers(info: BackupInfo): Promise<Openers | undefined>;
}

/** Result of a restore. */
export interface Restored extends Usable {
  readonly info: BackupInfo;
  readonly version: Version;
  /** Why the secret is in the database, although it was to be in the keyring. */
  readonly notInKeyring: RekeyError | undefined;
  /** Warnings for a keyring that may not have saved the secret. */
  readonly risks: readonly string[];
  /** The version that was current before, if any. */
  readonly replaced: Version | undefined;
  /** The restored version, if the database that was replaced had ended it. */
  readonly revived: Revived | undefined;
  /** Whether nothing here could show what was changed after the backup: the database was damaged, or there was none. */
  readonly isUnchecked: boolean;
  /** New path of a damaged database. */
  readonly movedTo: string | undefined;
  /** Path of the copy of a database whose audit log could not be continued. */
  readonly copiedTo: string | undefined;
  /** Files with keys that stay: of deliveries that the backup does not have, or has with other settings. */
  readonly leftFiles: readonly string[];
}

/**
 * Restores a backup. A copy is checked and prepared in its own folder first: tables, audit chain, secret. It then takes
 * effect in one transaction, or by one renamed file if there is no usable database. Tables of an application in the same
 * database stay.
 *
 * @throws {RekeyError} `already_initialised` when there is a secret and `force` is not set; `backup_unusable`,
 * `secret_missing` or `kek_…` when the backup cannot be used. Nothing is changed then.
 */
export async function restore(
  environment: Environment,
  path: string,
  options: RestoreOptions,
): Promise<Restored> {
  const lockPath = Installation.prepareFolder(environment);
  // Before the lock is taken: this may ask for a passphrase, and make a key.
  const contents = await envelopeOf(await readBackupInfo(environment, path), options);
  const makeValue = options.newSecret ? await newValueAhead(environment, path) : newSecret;
  return await exclusively(lockPath, () => {
    removeUnfinished(dirname(lockPath));
    return withStagedCopy(
      environment,
      path,
      STAGE,
      (stage, info) => restoreFrom(environment, stage, { ...options, info, contents, makeValue }),
    );
  });
}

async function restoreFrom(
  environment: Environment,
  stage: string,
  options: RestoreOptions & Omit<UsableOptions, "clone"> & { readonly makeValue: MakeValue },
): Promise<Restored> {
  const { info, force, makeValue } = options;
  const live = await openLive(environment, force);
  const copy = openStaged(environment, stage);
  const replaced = live?.versions.current();
  const foreignVersions = live === undefined || sameInstallation(copy, live)
    ? []
    : live.versions.every();
  let restored: Awaited<ReturnType<typeof replaceBy>>;
  try {
    if (!force && live !== undefined) refuseReplacing(live, copy.versions.current());
    restored = await replaceBy(environment, stage, copy, live, options);
  } finally {
    copy.close();
    live?.close();
  }
  const { usable, placed, ...found } = restored;
  const settled = await settle(environment, usable, { foreignVersions, makeValue });
  return { ...usable, info, ...settled, replaced, ...placed, ...found };
}

/** Makes the staged copy usable here, and puts it in the place of the live database. */
async function replaceBy(
  environment: Environment,
  stage: string,
  copy: Installation,
  live: Installation | undefined,
  options: Omit<UsableOptions, "clone">,
) {
  const { info } = options;
  dropBackupTable(copy.database);
  // SQLite has checked the pages of the copy when it was staged.
  if (!copy.database.hasSoundTables()) throw otherTables();
  const original = originalOf(copy, live);
  if (original !== undefined) copy.borrow(original);
  const clone = await isClone(environment, info, copy);
  const usable = await makeUsable(copy, live, { ...options, clone });
  if (live !== undefined) carryOver(live, copy, usable);
  // Asked again: once a clone is usable, it is no copy of the existing database any more.
  const going = originalOf(copy, live);
  // A secret that is still to be made takes the place of the restored one.
  const isRevival = live !== undefined && usable.secretFrom !== "new";
  const revived = isRevival ? revivedOver(live, copy.versions.current()) : undefined;
  const copiedTo = isReplaced(usable.log) ? await keepLog(going, stage) : undefined;
  const placed = await putInPlace(environment, copy, live, info, usable);
  const isUnchecked = live === undefined && !clone && usable.secretFrom !== "etcd";
  return { usable, placed, copiedTo, revived, isUnchecked };
}

function otherTables(): RekeyError {
  return new RekeyError(
    "backup_unusable",
    "Cannot use the backup: its tables are not those of rekey",
    { hint: "Nothing was changed; try another backup" },
  );
}

function openStaged(environment: Environment, stage: string): Installation {
  const folders = { ...environment.folders, data: stage, dataNamed: false };
  return Installation.open({ ...environment, folders }, { locked: true });
}

/** The value of a new secret, used as the backup's, in case that one is lost. */
async function newValueAhead(environment: Environment, path: string): Promise<MakeValue> {
  const use = await withStagedCopy(environment, path, PEEK, (stage) => {
    const copy = openStaged(environment, stage);
    try {
      return Promise.resolve(nextUse(copy, {}));
    } catch (error) {
      // The restoration itself says what is wrong with the backup.
      asRefusal(error);
      return Promise.resolve(undefined);
    } finally {
      copy.close();
    }
  });
  return use === undefined ? newSecret : await madeAhead(use);
}

/** Whether the original database still exists: then the restored one must not share its keys. */
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
    others.some((path) => path !== undefined && !isSamePlace(path, own) && knowsKid(path, kid));
}

/** Opens the existing database; with `force`, a damaged one counts as missing. */
async function openLive(
  environment: Environment,
  force: boolean,
): Promise<Installation | undefined> {
  try {
    const live = Installation.openExisting(environment, { locked: true });
    if (live === undefined) return undefined;
    if (!live.database.isSound()) {
      live.close();
      const path = Installation.path(environment);
      throw new RekeyError("database_damaged", `Cannot use ${path}: the database is damaged`);
    }
    if (live.meta.get("destroying") === undefined) return live;
    await destroy(live);
    return undefined;
  } catch (error) {
    if (!isRekeyError(error, "database_damaged")) throw error;
    if (force) return undefined;
    throw new RekeyError(error.code, error.message, {
      hint: "`rekey restore --force` moves it aside and restores the backup",
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
  throw new RekeyError(
    "backup_unusable",
    "Cannot use the backup: its secret belongs to another app",
    {
      hint: "Nothing was changed; try another backup",
    },
  );
}

/** Copies a database whose audit log cannot be continued. @returns the path of the copy. */
async function keepLog(live: Installation | undefined, stage: string): Promise<string | undefined> {
  if (live === undefined) return undefined;
  const partial = join(stage, "former");
  makePrivateFile(partial);
  await live.database.copyTo(partial);
  const path = freeName(`${live.database.path}.former`);
  moveIntoPlace(partial, path, false);
  return path;
}

type Placed = Pick<Restored, "movedTo" | "leftFiles">;

/** Puts the restored database into effect. */
async function putInPlace(
  environment: Environment,
  staged: Installation,
  live: Installation | undefined,
  { kind, made_at }: BackupInfo,
  usable: Usable,
): Promise<Placed> {
  const lost = usable.log === "lost"
    ? "; the KEK was lost, and with it the key of the log before"
    : "";
  const reason = `${kind} backup of ${made_at}${lost}`;
  if (live !== undefined) {
    return { movedTo: undefined, leftFiles: await replaceRows(live, staged, reason, usable) };
  }
  const audit = await staged.audit();
  staged.database.transaction(() => audit.append({ event: EVENTS.restored, reason }));
  dropBackupTable(staged.database);
  const finished = `${staged.database.path}.finished`;
  await staged.database.copyTo(finished);
  const path = Installation.path(environment);
  const aside = keepAside(path, ["-wal", "-shm", "-journal"]);
  moveIntoPlace(finished, path, true);
  outlastLooks(performance.now());
  return { movedTo: aside, leftFiles: [] };
}

function refuseReplacing(live: Installation, target: Version | undefined): void {
  const there = live.versions.current();
  // An older application's value that was not adopted yet.
  if (there === undefined && live.sealed.rawValue() === undefined) return;
  const old = revivedOver(live, target)?.version.version;
  const revived = old === undefined
    ? ""
    : `; version ${old}, which was rotated away, would verify again`;
  const what = there === undefined ? "an older application's" : `version ${there.version}`;
  throw new RekeyError(
    "already_initialised",
    `Cannot restore: there is a secret, ${what}${revived}`,
    { hint: "--force replaces it; `rekey backup` it first" },
  );
}
