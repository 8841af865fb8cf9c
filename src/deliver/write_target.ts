import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { delay } from "../core/async.ts";
import { closing } from "../core/closing.ts";
import { RekeyError } from "../core/errors.ts";
import { codeOf, explainFiles, notRegular } from "../files/files.ts";
import { unsafePath } from "../files/private_files.ts";
import { infoOf } from "../system/files.ts";
import { SYSTEM } from "../system/system.ts";

/** Owner, group and mode of a file; without a number it keeps what the system gives to a new file. */
export interface Rights {
  readonly user: number | undefined;
  readonly group: number | undefined;
  /** Where files have modes: of files; folders get the right to enter besides. */
  readonly mode: number;
}

/** SHA-256 of a file's bytes, in base64url. */
export function digestOfBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}

/** The longest file that is delivered, and read to compare it, in bytes: 1 MiB. */
export const LONGEST_FILE = 2 ** 20;

const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY } = constants;

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
    const partial = partialOf(path) + randomBytes(9).toString("base64url");
    await writePartial(partial, bytes, rights);
    moveOver(partial, path);
    await syncSoon(folder);
  } catch (error) {
    explainFiles(path, () => {
      throw error;
    });
  }
}

async function writePartial(partial: string, bytes: Uint8Array, rights: Rights): Promise<void> {
  // Exclusively, and never through a link.
  const fd = SYSTEM.permissions.createFile(partial);
  try {
    writeFileSync(fd, bytes);
    giveTo(fd, partial, rights, rights.mode);
    // Files that are written at the same time come first: one commit of the file system is for all of them then.
    await delay(0);
    await promisify(fsync)(fd);
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

function giveTo(fd: number, path: string, { user, group }: Rights, mode: number): void {
  if (SYSTEM.owners === undefined) return;
  const { uid, gid } = fstatSync(fd);
  try {
    SYSTEM.owners.give(fd, user ?? uid, group ?? gid, mode);
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    throw new RekeyError(
      "database_unusable",
      `Cannot write ${path}: this user may not give files to that owner and group`,
      { hint: "Run rekey as root, or name a group that this user belongs to" },
    );
  }
}

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

/** Deletes a file that rekey wrote; it may be gone already. */
export function removeTarget(path: string, rights: Rights): void {
  refuseUnsafeTarget(path, rights);
  explainFiles(path, () => {
    removePartials(path);
    if (infoOf(path)?.isFile !== true) return;
    SYSTEM.files.remove(path);
    closing(SYSTEM.permissions.holdFolder(dirname(path)), (folder) => folder.sync());
  });
}

/**
 * Checks that other users cannot replace a file: every folder on its path belongs to this user or the system, and the
 * last one may belong to the user that the file is for.
 *
 * @throws {RekeyError} `database_unusable` if someone else can.
 */
export function refuseUnsafeTarget(path: string, rights: Rights): void {
  explainFiles(path, () => {
    const folder = dirname(path);
    const unsafe = SYSTEM.permissions.unsafeFolderOf(path);
    const isTheirs = unsafe !== undefined && unsafe.folder === folder && !unsafe.isOpen &&
      rights.user !== undefined && infoOf(folder)?.uid === rights.user;
    if (unsafe !== undefined && !isTheirs) throw unsafePath(path, unsafe);
    refuseGroup(path, folder, rights);
  });
}

const [GROUP_WRITES, STICKY] = [0o020, 0o1000];

function refuseGroup(path: string, folder: string, { group }: Rights): void {
  const info = infoOf(folder);
  if (SYSTEM.owners === undefined || info?.isDirectory !== true) return;
  const isOpen = (info.mode! & GROUP_WRITES) !== 0 && (info.mode! & STICKY) === 0;
  if (!isOpen || [0, group, SYSTEM.owners.myGroup()].includes(info.gid!)) return;
  throw new RekeyError(
    "database_unusable",
    `Cannot use ${path}: a group can write to its folder that the file is not for`,
    { hint: "Name that group with --group, remove its right, or name another folder" },
  );
}

/**
 * Makes the folders of a file that are missing, open to all users for entering, or with a file's own rights.
 *
 * @param ours the folder from which on folders belong to the delivery; `undefined`: none does.
 */
export function makeFolders(path: string, ours: string | undefined, rights: Rights): void {
  const folder = dirname(path);
  if (infoOf(folder) !== undefined) return;
  makeFolders(folder, ours, rights);
  const isOurs = ours !== undefined && (folder === ours || folder.startsWith(ours + sep));
  explainFiles(folder, () => {
    refuseUnsafeTarget(folder, rights);
    if (SYSTEM.owners === undefined) return SYSTEM.permissions.makeFolder(folder);
    mkdirSync(folder, { mode: 0o700 });
    const fd = openSync(folder, O_RDONLY | O_DIRECTORY);
    try {
      mustBeAt(folder, fd);
      const asItIs = { user: undefined, group: undefined, mode: 0 };
      if (isOurs) giveTo(fd, folder, rights, enterable(rights.mode));
      else giveTo(fd, folder, asItIs, 0o755);
    } finally {
      closeSync(fd);
    }
  });
}

// Whoever can write to the folder above may have put a link there since, and the folder that it leads to would be given
// away. The runtime opens it whatever O_NOFOLLOW says.
function mustBeAt(folder: string, descriptor: number): void {
  const { dev, ino } = fstatSync(descriptor);
  const info = infoOf(folder);
  if (info?.isDirectory && info.dev === dev && info.ino === ino) return;
  throw new RekeyError("database_unusable", `Cannot use ${folder}: something else was put there`, {
    hint: "Another user or program changes the folder above it: name a path of your own",
  });
}

// Who may read files may enter their folder; only the owner writes to it.
function enterable(mode: number): number {
  return 0o700 | (mode & 0o040 ? 0o050 : 0);
}
