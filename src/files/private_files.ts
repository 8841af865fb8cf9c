import { closing } from "../core/closing.ts";
import { closeSync, constants, copyFileSync, fsyncSync, openSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, explainFiles, mustBeFileToRead, notRegular } from "./files.ts";
import { SYSTEM } from "../system/system.ts";
import { RekeyError } from "../core/errors.ts";
import {
  type Access,
  type FileFacts,
  type HeldFolder,
  infoOf,
  type UnsafeFolder,
} from "../system/files.ts";

/**
 * Creates an empty private file (0600), or makes an existing file private. It does not open an existing file: closing it
 * would release the locks that SQLite holds in this process.
 */
export function makePrivateFile(path: string): void {
  explainFiles(path, () => {
    const found = infoOf(path);
    if (found === undefined) return createEmpty(path);
    if (!found.isFile) throw notRegular(path);
    const access = SYSTEM.permissions.access(path, found);
    refuseOthers(path, access);
    if (!access.isPrivate) SYSTEM.permissions.makePrivate(path);
  });
}

/**
 * Removes the rights of other users to a file, if it exists, belongs to this user and is not on a read-only disk. Does
 * not follow links.
 *
 * @returns the permissions until then, for messages, if others could read it.
 */
export function restrictToOwner(path: string): string | undefined {
  return explainFiles(path, () => {
    const found = infoOf(path);
    if (!found?.isFile) return undefined;
    const { isMine, isOpen, othersRead, shown } = SYSTEM.permissions.access(path, found);
    if (!isMine || !isOpen) return undefined;
    try {
      SYSTEM.permissions.makePrivate(path);
    } catch (error) {
      if (codeOf(error) !== "EROFS") throw error;
      return undefined;
    }
    return othersRead ? shown : undefined;
  });
}

/** Removes all rights of other users to a file or folder. */
export function makePrivate(path: string): void {
  explainFiles(path, () => SYSTEM.permissions.makePrivate(path));
}

/** Removes the rights of other users to change a file or folder. */
export function denyWriting(path: string): void {
  explainFiles(path, () => SYSTEM.permissions.denyWriting(path));
}

function createEmpty(path: string): void {
  try {
    closeSync(SYSTEM.permissions.createFile(path));
  } catch (error) {
    // Another process has created it.
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/**
 * Writes a new private file (0600) in a private folder. File and name are on disk when this returns.
 *
 * @throws {RekeyError} `database_unusable` if the file exists or cannot be written.
 */
export function writeNewPrivateFile(path: string, data: Uint8Array | string): void {
  makePrivateFolder(dirname(path));
  explainFiles(path, () => {
    const fd = SYSTEM.permissions.createFile(path);
    try {
      writeFileSync(fd, data);
      fsyncSync(fd);
    } catch (error) {
      // A part of the file is useless, and would fill the disk.
      SYSTEM.files.remove(path);
      throw error;
    } finally {
      closeSync(fd);
    }
    syncFolder(dirname(path));
  });
}

/**
 * Creates a private folder of rekey's own and its parent directories, or makes an existing folder private.
 *
 * @throws {RekeyError} `database_unusable` if it cannot be created, belongs to another user, or another user could
 * replace it.
 */
export function makePrivateFolder(path: string): void {
  explainFiles(path, () => {
    refuseUnsafePath(path);
    const found = infoOf(path);
    if (found?.isDirectory) {
      const { isMine, isPrivate } = SYSTEM.permissions.access(path, found);
      if (isMine && isPrivate) return;
    }
    withFolder(path, (folder) => {
      const access = folder.access();
      refuseOthers(path, access);
      if (!access.isPrivate) folder.makePrivate();
    });
  });
}

/**
 * Creates a folder that the operator named. It may have other uses, so an existing folder keeps its permissions; but
 * other users must not be able to write to it, or they could replace files in it.
 *
 * @throws {RekeyError} `database_unusable` if it cannot be created, belongs to another user, or is writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () =>
    withFolder(path, (folder) => {
      const access = folder.access();
      refuseOthers(path, access);
      if (!access.othersWrite && !access.othersInherit) return;
      const why = access.othersWrite ? "can write to it" : "could read new files in it";
      throw new RekeyError("database_unusable", `Cannot use ${path}: other users ${why}`, {
        hint: "Name a folder of your own, or remove that right with " +
          `\`${SYSTEM.permissions.fix(path, "writing")}\``,
      });
    }));
}

/** Writes the names in a folder to disk. */
function syncFolder(path: string): void {
  withFolder(path, (folder) => folder.sync());
}

/** Opens a folder while `use` runs; creates it and its parent directories if it does not exist. */
function withFolder(path: string, use: (folder: HeldFolder) => void): void {
  // Before creating anything: root must not create folders where a user's link leads.
  refuseUnsafePath(path);
  SYSTEM.permissions.makeFolder(path);
  closing(SYSTEM.permissions.holdFolder(path), use);
}

/** @throws {RekeyError} `database_unusable` if a file belongs to another user. */
function refuseOthers(path: string, { isMine, owner }: Access): void {
  if (isMine) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
    hint: `Run the command as its owner (${owner}), or name another folder with --data-dir`,
  });
}

/**
 * Checks that no other user can replace a file: each folder and symbolic link on its path belongs to this user or the
 * system, and other users cannot rename files in it. Without that, checks of the file itself are worth little.
 *
 * The caller checks the file itself, unless it is a link.
 *
 * @throws {RekeyError} `database_unusable` if another user can.
 */
export function refuseUnsafePath(path: string): void {
  const unsafe = SYSTEM.permissions.unsafeFolderOf(path);
  if (unsafe !== undefined) throw unsafePath(path, unsafe);
}

/** The error for a path with an unsafe folder. */
export function unsafePath(path: string, { folder, isOpen }: UnsafeFolder): RekeyError {
  const why = isOpen ? "can be written by every user" : "belongs to another user";
  return new RekeyError("database_unusable", `Cannot use ${path}: ${folder} on its path ${why}`, {
    hint: "They could replace the file. Name a path of your own, or remove that right",
  });
}

/** A file that other users can read. */
interface Exposure {
  /** The permissions, for messages: `mode 0644`. */
  readonly shown: string;
  /** The command that removes the right. */
  readonly fix: string;
  /** Whether this user may run it; otherwise the file is someone else's. */
  readonly mayFix: boolean;
  /** Whether the file is on a read-only mount, as secrets in containers are. */
  readonly isReadOnly: boolean;
}

/**
 * How other users can read a regular file; `undefined` if they cannot. Follows links. Ignores pipes, which keep no copy,
 * and files that cannot be checked: opening them reports the error.
 */
export function exposureOf(path: string): Exposure | undefined {
  const facts = factsOf(path);
  if (facts === undefined) return undefined;
  const { othersRead, mayFix, shown } = SYSTEM.permissions.access(path, facts);
  if (!othersRead) return undefined;
  const fix = SYSTEM.permissions.fix(path, mayFix ? "file" : "reading");
  return { shown, fix, mayFix, isReadOnly: SYSTEM.files.isReadOnly(path) };
}

function factsOf(path: string): FileFacts | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? info : undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

const { O_NOFOLLOW = 0, O_RDWR } = constants;

/**
 * Writes a finished file to disk and renames it.
 *
 * @returns `false` if a file of that name exists and `replace` is not set.
 */
export function moveIntoPlace(partial: string, path: string, replace: boolean): boolean {
  return explainFiles(path, () => {
    // Windows cannot sync a file that is open for reading only.
    const fd = openSync(partial, O_RDWR | O_NOFOLLOW);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!replace && infoOf(path) !== undefined) return false;
    SYSTEM.files.rename(partial, path);
    syncFolder(dirname(path));
    return true;
  });
}

/** Copies a regular file to a new private file (0600). */
export function copyPrivateFile(from: string, to: string): void {
  mustBeFileToRead(from);
  makePrivateFile(to);
  explainFiles(to, () => copyFileSync(from, to));
}
