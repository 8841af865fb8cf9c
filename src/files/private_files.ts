import { closeSync, fsyncSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, explainFiles, notRegular, refuseOthers, tooLarge } from "./file_errors.ts";
import { infoOf } from "../system/file_info.ts";
import { HERE } from "../system/here.ts";
import { makePrivateFolder, syncFolder } from "./private_folders.ts";

/**
 * Makes an empty file (0600) unless it is there; its mode is put right if it is. A file that is there is
 * not opened: closing it would take away the locks that SQLite holds on it in this process.
 */
export function makePrivateFile(path: string): void {
  explainFiles(path, () => {
    const found = infoOf(path);
    if (found === undefined) return createEmpty(path);
    if (!found.isFile) throw notRegular(path);
    const access = HERE.privacy.access(path, found);
    refuseOthers(path, access);
    if (!access.isPrivate) HERE.privacy.makePrivate(path);
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
    const { isMine, isOpen } = HERE.privacy.access(path, found);
    if (!isMine || !isOpen) return;
    try {
      HERE.privacy.makePrivate(path);
    } catch (error) {
      if (codeOf(error) !== "EROFS") throw error;
    }
  });
}

/** Takes every right to a file or folder of this user's from others. */
export function makePrivate(path: string): void {
  explainFiles(path, () => HERE.privacy.makePrivate(path));
}

/** Takes from others what lets them change a file or folder of this user's. */
export function takeWriting(path: string): void {
  explainFiles(path, () => HERE.privacy.takeWriting(path));
}

function createEmpty(path: string): void {
  try {
    closeSync(HERE.privacy.createFile(path));
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
    const fd = HERE.privacy.createFile(path);
    try {
      writeFileSync(fd, data);
      fsyncSync(fd);
    } catch (error) {
      // A part of it is of no use, and would take what little room a full disk gets.
      HERE.moves.remove(path);
      throw error;
    } finally {
      closeSync(fd);
    }
    syncFolder(dirname(path));
  });
}

/** Deletes a file, if it is there. */
export function removeFile(path: string): void {
  explainFiles(path, () => HERE.moves.remove(path));
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
