import { RekeyError } from "../core/errors.ts";
import { copyFileSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { SYSTEM } from "../system/system.ts";
import { infoOf } from "../system/files.ts";

const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "a file with that name is in the way",
  EISDIR: "it is a folder",
  ELOOP: "it is a symbolic link",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "it is not there",
  EFBIG: "a limit on the size of files is reached",
  EDQUOT: "the disk quota is used up",
  ERR_FS_EISDIR: "it is a folder",
  EBUSY: "another program has it open",
  EIO: "the disk is failing",
  ENOTSUP: "its file system cannot do that",
  EMFILE: "this program has too many files open",
  ENFILE: "this machine has too many files open",
};

const CHECK_PERMISSIONS = "Check its owner and mode and those of its folder, or name another one";
const FREE_SPACE = "Free some space there, or name another place";
const NAME_ANOTHER = "Name another file or folder";
const RAISE_LIMIT = "Raise the limit (`ulimit -n`), or end programs that have many files open";

const HINTS: Record<string, string> = {
  EBUSY: "End the programs that have it open, such as `rekey serve`, and repeat the command",
  ENOENT: "Check the path: is it misspelt, or a folder on it not made yet?",
  ENOSPC: FREE_SPACE,
  EDQUOT: FREE_SPACE,
  EROFS: "Name another place, or mount that one so that it can be written to",
  EIO: "The system's log says more, such as `dmesg`; copy what can still be read",
  EFBIG: "Raise the limit (`ulimit -f`), or name another one",
  EMFILE: RAISE_LIMIT,
  ENFILE: RAISE_LIMIT,
  ENOTDIR: NAME_ANOTHER,
  EEXIST: NAME_ANOTHER,
  EISDIR: NAME_ANOTHER,
  ERR_FS_EISDIR: NAME_ANOTHER,
  ELOOP: NAME_ANOTHER,
  ENAMETOOLONG: NAME_ANOTHER,
  ENOTSUP: NAME_ANOTHER,
};

/** Turns errors of the system for a file into a {@linkcode RekeyError} `database_unusable`. */
export function explainFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    // Windows has thousands of error numbers, and no short names.
    const code = codeOf(error) ?? "";
    const [, number] = /^WINDOWS_(\d+)$/.exec(code) ?? [];
    const reason = number === undefined ? REASONS[code] : `Windows reports its error ${number}`;
    if (reason === undefined) throw error;
    // No file has a name that is too long: it may be a secret, given in place of its file.
    const named = code === "ENAMETOOLONG" ? "that file" : path;
    throw new RekeyError("database_unusable", `Cannot use ${named}: ${reason}`, {
      hint: HINTS[code] ?? CHECK_PERMISSIONS,
      cause: error,
    });
  }
}

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  // The runtime refuses some paths, such as /proc, even to programs with all permissions.
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** The error for a folder, a pipe or a device in the place of a file that rekey makes. */
export function notRegular(path: string, info?: Deno.FileInfo): RekeyError {
  return otherKind(path, info, "Name another one, or move it out of the way");
}

/** The error for a folder, a pipe or a device that is to be read: what is named may be in use by all of the system. */
function notReadable(path: string, info: Deno.FileInfo): RekeyError {
  return otherKind(path, info, NAME_ANOTHER);
}

function otherKind(path: string, info: Deno.FileInfo | undefined, hint: string): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: ${kindOf(info)}`, {
    hint: info?.isFifo
      ? "It can be read only once, and rekey reads it again: name a file, or a command where that is possible"
      : hint,
  });
}

function kindOf(info: Deno.FileInfo | undefined): string {
  if (info?.isDirectory) return "it is a folder";
  if (info?.isSocket) return "it is a socket";
  if (info?.isFifo) return "it is a pipe, not a regular file";
  if (info?.isCharDevice || info?.isBlockDevice) return "it is a device, not a regular file";
  return "it is not a regular file";
}

/**
 * Whether a file exists, also if it is a broken link. In a folder that does not exist nothing does.
 *
 * @throws {RekeyError} `database_unusable` if the folder cannot be read or is a broken link.
 */
export function isThere(path: string): boolean {
  return explainFiles(path, () => {
    if (infoOf(path) !== undefined) return true;
    if (infoOf(dirname(path))?.isSymlink) statSync(dirname(path));
    return false;
  });
}

/**
 * Device and inode, which differ between a file and one that replaces it while the first one is open; `undefined` if it
 * does not exist.
 */
export function fileIdentity(path: string): string | undefined {
  return explainFiles(path, () => {
    try {
      const { dev, ino } = Deno.statSync(path);
      return `${dev}:${ino}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}

/** When a file was last changed, in milliseconds since the epoch; `Infinity` if it does not exist. */
export function timeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.mtime?.getTime() ?? Infinity);
}

/** Size of a file in bytes; 0 if it does not exist. */
export function sizeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.size ?? 0);
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

/** Checks that what is to be read is a regular file, in the same way. */
export function mustBeFileToRead(path: string): void {
  explainFiles(path, () => {
    const info = Deno.statSync(path);
    if (!info.isFile) throw notReadable(path, info);
  });
}

/** Deletes a file if it exists. */
export function removeFile(path: string): void {
  explainFiles(path, () => SYSTEM.files.remove(path));
}

/** The longest file or stream that is read, in bytes: 16 MiB. */
export const LONGEST_INPUT = 2 ** 24;

/** Reads a regular file of at most {@linkcode LONGEST_INPUT} bytes; `undefined` if it does not exist. */
export function readFileIfThere(path: string): Uint8Array | undefined {
  return explainFiles(path, () => {
    try {
      // Opening a pipe would wait for its writer.
      const info = Deno.statSync(path);
      if (!info.isFile) throw notReadable(path, info);
      if (info.size > LONGEST_INPUT) {
        const why = `it is larger than ${LONGEST_INPUT} bytes`;
        throw new RekeyError("database_unusable", `Cannot use ${path}: ${why}`, {
          hint: "Is it the right file?",
        });
      }
      return Deno.readFileSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

/**
 * Reads a regular file of any length in chunks.
 *
 * @param take gets memory that the next chunk overwrites.
 * @throws {RekeyError} `usage` if it does not exist, `database_unusable` if it is another kind of file.
 */
export function readFileChunks(path: string, take: (chunk: Uint8Array) => void): void {
  explainFiles(path, () => {
    try {
      const info = Deno.statSync(path);
      if (!info.isFile) throw notReadable(path, info);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      throw new RekeyError("usage", `Cannot read ${path}: it does not exist`, {
        hint: "Name another file",
      });
    }
    using file = Deno.openSync(path);
    const memory = new Uint8Array(2 ** 18);
    for (let read; (read = file.readSync(memory)) !== null;) take(memory.subarray(0, read));
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

/**
 * Copies a damaged file to another name, so that a new file can replace it atomically. Files that belong to it are
 * renamed, so that they are not used with the new file.
 *
 * @param endings of the files that belong to it.
 * @returns the name of the copy; `undefined` if the file does not exist.
 */
export function keepAside(path: string, endings: readonly string[]): string | undefined {
  return explainFiles(path, () => {
    const aside = freeName(`${path}.damaged`, endings);
    for (const end of endings) {
      if (infoOf(path + end) !== undefined) SYSTEM.files.rename(path + end, aside + end);
    }
    if (infoOf(path) === undefined) return undefined;
    copyFileSync(path, aside);
    return aside;
  });
}

/** An unused file name, also with each of the endings: the wanted name, or the first free `NAME-2`, `NAME-3`, … */
export function freeName(wanted: string, endings: readonly string[] = []): string {
  const taken = (name: string) => ["", ...endings].some((end) => infoOf(name + end) !== undefined);
  let name = wanted;
  for (let n = 2; taken(name); n++) name = `${wanted}-${n}`;
  return name;
}
