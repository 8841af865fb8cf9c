import { closeSync, fsyncSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, explainFiles, notRegular, refuseOthers, tooLarge } from "./file_errors.ts";
import { SYSTEM } from "../system/system.ts";
import { RekeyError } from "../core/errors.ts";
import { refuseUnsafePath } from "./path_ownership.ts";
import type { HeldFolder } from "../system/permissions.ts";
import { infoOf } from "../system/files.ts";

/**
 * Makes an empty file (0600) unless it is there; its mode is put right if it is. A file that is there is
 * not opened: closing it would take away the locks that SQLite holds on it in this process.
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
 * Makes sure that a file may be opened: SQLite would wait for the other end of a pipe, and a link may lead to one.
 *
 * @throws {RekeyError} `database_unusable` when something else is there.
 */
export function mustBeRegular(path: string): void {
  explainFiles(path, () => {
    if (!Deno.statSync(path).isFile) throw notRegular(path);
  });
}

/**
 * Takes others' rights to a file of this user's away, if it is there and its disk can be written. What a link
 * leads to is not rekey's to change.
 */
export function takeFromOthers(path: string): void {
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

/** Takes every right to a file or folder of this user's from others. */
export function makePrivate(path: string): void {
  explainFiles(path, () => SYSTEM.permissions.makePrivate(path));
}

/** Takes from others what lets them change a file or folder of this user's. */
export function denyWriting(path: string): void {
  explainFiles(path, () => SYSTEM.permissions.denyWriting(path));
}

function createEmpty(path: string): void {
  try {
    closeSync(SYSTEM.permissions.createFile(path));
  } catch (error) {
    // Another process was first, and has made the same.
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/**
 * Writes a file (0600) that must not be there yet, in a private folder. It is on the disk when this
 * returns, its name too.
 */
export function writeNewPrivateFile(path: string, data: Uint8Array | string): void {
  makePrivateFolder(dirname(path));
  explainFiles(path, () => {
    const fd = SYSTEM.permissions.createFile(path);
    try {
      writeFileSync(fd, data);
      fsyncSync(fd);
    } catch (error) {
      // A part of it is of no use, and would take what little room a full disk gets.
      SYSTEM.files.remove(path);
      throw error;
    } finally {
      closeSync(fd);
    }
    syncFolder(dirname(path));
  });
}

/** Deletes a file, if it is there. */
export function removeFile(path: string): void {
  explainFiles(path, () => SYSTEM.files.remove(path));
}

const LONGEST_FILE = 2 ** 24;

/** Reads a regular file of at most `longest` bytes; `undefined` when there is none. */
export function readFileIfThere(path: string, longest = LONGEST_FILE): Uint8Array | undefined {
  return explainFiles(path, () => {
    try {
      // Opening a pipe would wait for its other end.
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
 * Makes a folder of our own that only its owner can enter, with its parents; one that is there already is made so.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else, or somebody else
 * could exchange it.
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
 * Makes a folder that the operator named, or takes it as it is: it may have other uses, so who may use it is
 * the operator's to say. Others must not be able to write to it, or they could exchange files in it.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else or is
 * writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () => withFolder(path, (folder) => refuseWritableByOthers(path, folder)));
}

/** Sees to it that the names in a folder are on the disk. */
export function syncFolder(path: string): void {
  withFolder(path, (folder) => folder.sync());
}

/** Uses a folder while it is held; makes it, with its parents, unless it is there. */
function withFolder(path: string, use: (folder: HeldFolder) => void): void {
  // Before anything is made: root must not make folders where a user's link leads.
  refuseUnsafePath(path);
  SYSTEM.permissions.makeFolder(path);
  using folder = SYSTEM.permissions.holdFolder(path);
  use(folder);
}

function refuseWritableByOthers(path: string, folder: HeldFolder): void {
  const access = folder.access();
  refuseOthers(path, access);
  if (!access.othersWrite && !access.othersInherit) return;
  const why = access.othersWrite ? "can write to it" : "could read what is made in it";
  throw new RekeyError("database_unusable", `Cannot use ${path}: other users ${why}`, {
    hint: "Name a folder of your own, or take that right away with " +
      `\`${SYSTEM.permissions.fix(path, "writing")}\``,
  });
}

/** Deletes a folder with everything in it, if it is there. */
export function removeFolder(path: string): void {
  explainFiles(path, () => SYSTEM.files.removeFolder(path));
}

/** Names in a folder that is there. */
export function namesIn(path: string): string[] {
  return explainFiles(path, () => readdirSync(path));
}
