import { closeSync, fsyncSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, explainFiles, notRegular, refuseOthers, tooLarge } from "./file_errors.ts";
import { SYSTEM } from "../system/system.ts";
import { RekeyError } from "../core/errors.ts";
import { refuseUnsafePath } from "./path_ownership.ts";
import { type HeldFolder, infoOf } from "../system/files.ts";

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
 * Checks that a path is a regular file, or a link to one. SQLite would wait for the other end of a pipe.
 *
 * @throws {RekeyError} `database_unusable` if it is something else.
 */
export function mustBeRegular(path: string): void {
  explainFiles(path, () => {
    if (!Deno.statSync(path).isFile) throw notRegular(path);
  });
}

/**
 * Removes the rights of other users to a file, if it exists, belongs to this user and is not on a read-only disk. Does
 * not follow links.
 */
export function restrictToOwner(path: string): void {
  explainFiles(path, () => {
    const found = infoOf(path);
    if (!found?.isFile) return;
    const { isMine, isOpen } = SYSTEM.permissions.access(path, found);
    if (!isMine || !isOpen) return;
    try {
      SYSTEM.permissions.makePrivate(path);
    } catch (error) {
      if (codeOf(error) !== "EROFS") throw error;
    }
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

/** Deletes a file if it exists. */
export function removeFile(path: string): void {
  explainFiles(path, () => SYSTEM.files.remove(path));
}

const LONGEST_FILE = 2 ** 24;

/** Reads a regular file of at most `longest` bytes; `undefined` if it does not exist. */
export function readFileIfThere(path: string, longest = LONGEST_FILE): Uint8Array | undefined {
  return explainFiles(path, () => {
    try {
      // Opening a pipe would wait for its writer.
      const info = Deno.statSync(path);
      const { isFile, size } = info;
      if (!isFile) throw notRegular(path, info);
      if (size > longest) throw tooLarge(path, longest);
      return Deno.readFileSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
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
    if (isPrivateFolder(path)) return;
    withFolder(path, (folder) => {
      const access = folder.access();
      refuseOthers(path, access);
      if (!access.isPrivate) folder.makePrivate();
    });
  });
}

function isPrivateFolder(path: string): boolean {
  const found = infoOf(path);
  if (found?.isDirectory !== true) return false;
  const { isMine, isPrivate } = SYSTEM.permissions.access(path, found);
  return isMine && isPrivate;
}

/**
 * Creates a folder that the operator named. It may have other uses, so an existing folder keeps its permissions; but
 * other users must not be able to write to it, or they could replace files in it.
 *
 * @throws {RekeyError} `database_unusable` if it cannot be created, belongs to another user, or is writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () => withFolder(path, (folder) => refuseWritableByOthers(path, folder)));
}

/** Writes the names in a folder to disk. */
export function syncFolder(path: string): void {
  withFolder(path, (folder) => folder.sync());
}

/** Opens a folder while `use` runs; creates it and its parent directories if it does not exist. */
function withFolder(path: string, use: (folder: HeldFolder) => void): void {
  // Before creating anything: root must not create folders where a user's link leads.
  refuseUnsafePath(path);
  SYSTEM.permissions.makeFolder(path);
  using folder = SYSTEM.permissions.holdFolder(path);
  use(folder);
}

function refuseWritableByOthers(path: string, folder: HeldFolder): void {
  const access = folder.access();
  refuseOthers(path, access);
  if (!access.othersWrite && !access.othersInherit) return;
  const why = access.othersWrite ? "can write to it" : "could read new files in it";
  throw new RekeyError("database_unusable", `Cannot use ${path}: other users ${why}`, {
    hint: "Name a folder of your own, or remove that right with " +
      `\`${SYSTEM.permissions.fix(path, "writing")}\``,
  });
}

/** Deletes a folder with its contents if it exists. */
export function removeFolder(path: string): void {
  explainFiles(path, () => SYSTEM.files.removeFolder(path));
}

/** Names in an existing folder. */
export function namesIn(path: string): string[] {
  return explainFiles(path, () => readdirSync(path));
}
