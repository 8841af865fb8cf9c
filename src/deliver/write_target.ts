import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { delay } from "../core/async.ts";
import { closing } from "../core/closing.ts";
import { RekeyError } from "../core/errors.ts";
import { explainFiles, notRegular } from "../files/files.ts";
import { infoOf } from "../system/files.ts";
import { SYSTEM } from "../system/system.ts";
import { giveTo, refuseUnsafeTarget, type Rights } from "./target_folders.ts";

/** SHA-256 of a file's bytes, in base64url. */
export function digestOfBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}

/** The longest file that is delivered, and read to compare it, in bytes: 1 MiB. */
export const LONGEST_FILE = 2 ** 20;

const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY } = constants;

/**
 * The digest of the file at a path; `undefined` if there is none, another text if it is too long to be rekey's.
 *
 * @throws {RekeyError} `database_unusable` if a link, a folder or something else is there, or it cannot be read.
 */
export function digestOnDisk(path: string): string | undefined {
  return explainFiles(path, () => {
    const info = infoOf(path);
    if (info === undefined) return undefined;
    if (info.isSymlink) throw isLink(path);
    if (!info.isFile) throw notRegular(path, info);
    if (info.size > LONGEST_FILE) return "not read";
    // The user whom the folder belongs to may have put something else there since.
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) throw notRegular(path);
      const bytes = readFileSync(fd);
      const digest = digestOfBytes(bytes);
      bytes.fill(0);
      return digest;
    } finally {
      closeSync(fd);
    }
  });
}

/** Whether a file has the rights that it should have. */
export function hasRights(path: string, { user, group, mode }: Rights): boolean {
  if (SYSTEM.owners === undefined) return true;
  const info = explainFiles(path, () => infoOf(path));
  return info !== undefined && (info.mode! & 0o7777) === mode &&
    (user === undefined || info.uid === user) && (group === undefined || info.gid === group);
}

function isLink(path: string): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: it is a symbolic link`, {
    hint: "Name the file that it leads to",
  });
}

/**
 * Writes a file as a whole: to a temporary file in the same folder, which gets its owner, group and mode before it gets
 * the name. File and name are on disk when this returns. A failure leaves the old file as it was.
 *
 * @throws {RekeyError} `database_unusable` that names the path, when it cannot be written or other users could replace
 * it.
 */
export async function writeTarget(path: string, bytes: Uint8Array, rights: Rights): Promise<void> {
  refuseUnsafeTarget(path, rights);
  await writeSafeTarget(path, bytes, rights);
}

/** The same for a path that {@linkcode refuseUnsafeTarget} has just checked. */
export async function writeSafeTarget(
  path: string,
  bytes: Uint8Array,
  rights: Rights,
): Promise<void> {
  const folder = dirname(path);
  try {
    const partial = partialOf(path) + randomEnding();
    await withOthersIn(folder, writePartial(partial, bytes, rights));
    moveOver(partial, path);
    await syncSoon(folder);
  } catch (error) {
    explainFiles(path, () => {
      throw error;
    });
  }
}

const writing = new Map<string, Set<Promise<void>>>();

// A file gets its name when all that are written at the same time are on disk: a rename between waits for the file
// system, which is busy with the next file.
async function withOthersIn(folder: string, work: Promise<void>): Promise<void> {
  const all = writing.get(folder) ?? new Set();
  const settled = work.catch(() => {});
  writing.set(folder, all.add(settled));
  await othersHaveBegun();
  await Promise.all(all);
  all.delete(settled);
  if (all.size === 0) writing.delete(folder);
  await work;
}

const onDisk = promisify(fsync);
let turn: Promise<void> | undefined;

// When all has been begun that is begun now.
function othersHaveBegun(): Promise<void> {
  return turn ??= delay(0).then(() => turn = undefined);
}

async function writePartial(partial: string, bytes: Uint8Array, rights: Rights): Promise<void> {
  // Exclusively, and never through a link.
  const fd = SYSTEM.permissions.createFile(partial);
  try {
    writeFileSync(fd, bytes);
    giveTo(fd, partial, rights, rights.mode);
    // Files that are written at the same time come first: one commit of the file system is for all of them then.
    await othersHaveBegun();
    await onDisk(fd);
  } catch (error) {
    SYSTEM.files.remove(partial);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function moveOver(partial: string, path: string): void {
  try {
    const info = infoOf(path);
    if (info?.isSymlink) throw isLink(path);
    if (info !== undefined && !info.isFile) throw notRegular(path, info);
    SYSTEM.files.rename(partial, path);
  } catch (error) {
    SYSTEM.files.remove(partial);
    throw error;
  }
}

const GATHER_MS = 1;
const syncing = new Map<string, Promise<void>>();

// Once for files that get their names in one folder at about the same time.
async function syncSoon(folder: string): Promise<void> {
  const running = syncing.get(folder) ?? delay(GATHER_MS).then(() => {
    syncing.delete(folder);
    closing(SYSTEM.permissions.holdFolder(folder), (held) => held.sync());
  });
  syncing.set(folder, running);
  await running;
}

// Of NTFS, and of Linux and macOS for characters of one byte.
const LONGEST_NAME_ANYWHERE = 255;

function tooLong(path: string): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: the name is too long`, {
    hint: "Name another path",
  });
}

// The names of files in a delivery's folder are shorter.
const LONGEST_NAME = "k".repeat(100);

/**
 * Refuses a path at which nothing can ever be written.
 *
 * @param isFolder whether it is a folder of files.
 * @throws {RekeyError} `database_unusable` when it has no room for the name of the temporary file, or leads through what
 * is no folder.
 */
export function refuseImpossiblePath(path: string, isFolder: boolean): void {
  const file = isFolder ? join(path, LONGEST_NAME) : path;
  const partial = partialOf(file) + randomEnding();
  explainFiles(path, () => {
    // Windows says of a name that is too long that it is not there.
    if (partial.split(sep).some((name) => name.length > LONGEST_NAME_ANYWHERE)) throw tooLong(path);
    infoOf(partial);
    for (let at = dirname(file);; at = dirname(at)) {
      if (infoOf(at) === undefined && dirname(at) !== at) continue;
      if (Deno.statSync(at).isDirectory) return;
      throw new RekeyError("database_unusable", `Cannot use ${path}: ${at} is not a folder`, {
        hint: "Name another path",
      });
    }
  });
}

const randomEnding = () => randomBytes(9).toString("base64url");

const partialOf = (path: string) => join(dirname(path), `.${basename(path)}.rekey-`);

/** Deletes temporary files that a killed command has left beside a file: they hold keys. */
export function removePartials(path: string): void {
  const [folder, start] = [dirname(path), basename(partialOf(path))];
  explainFiles(path, () => {
    if (infoOf(folder)?.isDirectory !== true) return;
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.startsWith(start)) SYSTEM.files.remove(join(folder, name));
    }
  });
}

/**
 * Deletes a file that rekey wrote; it may be gone already.
 *
 * @param own digests of which it must have one; by default any.
 * @returns `false` if something else is there: it stays.
 */
export function removeTarget(path: string, rights: Rights, own?: readonly string[]): boolean {
  refuseUnsafeTarget(path, rights);
  return explainFiles(path, () => {
    removePartials(path);
    const info = infoOf(path);
    if (info === undefined) return true;
    if (!info.isFile || own?.includes(digestOnDisk(path)!) === false) return false;
    SYSTEM.files.remove(path);
    closing(SYSTEM.permissions.holdFolder(dirname(path)), (folder) => folder.sync());
    return true;
  });
}
