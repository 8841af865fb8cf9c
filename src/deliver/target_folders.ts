import { closeSync, constants, fstatSync, mkdirSync, openSync, rmdirSync } from "node:fs";
import { dirname, sep } from "node:path";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { codeOf, explainFiles } from "../files/files.ts";
import { unsafePath } from "../files/private_files.ts";
import { infoOf } from "../system/files.ts";
import { SYSTEM } from "../system/system.ts";

const { O_DIRECTORY = 0, O_RDONLY } = constants;

/** Owner, group and mode of a file; without a number it keeps what the system gives to a new file. */
export interface Rights {
  readonly user: number | undefined;
  readonly group: number | undefined;
  /** Where files have modes: of files; folders get the right to enter besides. */
  readonly mode: number;
}

/** Gives an open file or folder its owner, group and mode, where there are such. */
export function giveTo(fd: number, path: string, { user, group }: Rights, mode: number): void {
  if (SYSTEM.owners === undefined) return;
  try {
    SYSTEM.owners.give(fd, user, group, mode);
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    throw new RekeyError(
      "database_unusable",
      `Cannot write ${path}: this user may not give files to that owner and group`,
      { hint: "Run rekey as root, or name a group that this user belongs to" },
    );
  }
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

/**
 * The checks of {@linkcode refuseUnsafeTarget} for files that are written at the same time: each folder once. Whether the
 * file itself is a link is seen when it gets its name.
 */
export class SafeFolders {
  readonly #safe = new Set<string>();

  refuseUnsafe(path: string, rights: Rights): void {
    const name = JSON.stringify([dirname(path), rights.user, rights.group]);
    if (this.#safe.has(name)) return;
    refuseUnsafeTarget(path, rights);
    this.#safe.add(name);
  }
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
 * @returns paths of those that it has made, each after the one that it is in.
 */
export function makeFolders(path: string, ours: string | undefined, rights: Rights): string[] {
  const folder = dirname(path);
  if (infoOf(folder) !== undefined) return [];
  const made = makeFolders(folder, ours, rights);
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
  return [...made, folder];
}

/**
 * Removes folders that {@linkcode makeFolders} has made, as far as nothing is in them and no other user could have put
 * another one there. One that cannot be removed stays.
 */
export function removeEmptyFolders(folders: readonly string[], rights: Rights): void {
  for (const folder of folders.toReversed()) {
    try {
      if (infoOf(folder)?.isDirectory !== true) continue;
      refuseUnsafeTarget(folder, rights);
      rmdirSync(folder);
    } catch (error) {
      if (!isRekeyError(error) && codeOf(error) === undefined) throw error;
    }
  }
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
