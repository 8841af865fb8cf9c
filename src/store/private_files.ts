import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { RekeyError } from "../core/errors.ts";
import { infoOf } from "./file_info.ts";
import { refuseUnsafeWay } from "./safe_way.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY } = constants;

/**
 * Makes a folder of our own that only its owner can enter (0700), with its parents; one that is there
 * already gets that mode.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else, or somebody else
 * could exchange it.
 */
export function makePrivateFolder(path: string): void {
  explainFiles(path, () => {
    refuseUnsafeWay(path);
    if (!isPrivateFolder(path)) withFolder(path, (fd) => mineOnly(path, fd, 0o700));
  });
}

function isPrivateFolder(path: string): boolean {
  const found = infoOf(path);
  return found?.isDirectory === true && found.uid === process.geteuid?.() &&
    (found.mode! & 0o777) === 0o700;
}

/**
 * Makes a folder that the operator named, or takes it as it is: it may have other uses, so its mode is
 * the operator's. Others must not be able to write to it, or they could exchange files in it.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else or is
 * writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () => withFolder(path, (fd) => refuseWritableByOthers(path, fd)));
}

function withFolder(path: string, use: (fd: number) => void): void {
  // Before anything is made: root must not make folders where a user's link leads.
  refuseUnsafeWay(path);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function refuseWritableByOthers(path: string, fd: number): void {
  const { uid, mode } = fstatSync(fd);
  refuseOthers(path, uid);
  if (process.geteuid === undefined || (mode & 0o022) === 0) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: other users can write to it`, {
    hint: "Name a folder of your own, or take that right away with `chmod go-w`",
  });
}

/**
 * Makes an empty file (0600) unless it is there; its mode is put right if it is. A file that is there is
 * not opened: closing it would take away the locks that SQLite holds on it in this process.
 */
export function makePrivateFile(path: string): void {
  explainFiles(path, () => {
    const found = infoOf(path);
    if (found === undefined) return createEmpty(path);
    if (!found.isFile) throw notRegular(path);
    refuseOthers(path, found.uid);
    if (process.geteuid !== undefined && (found.mode! & 0o777) !== 0o600) chmodSync(path, 0o600);
  });
}

/**
 * Takes others' rights to a file of this user's away, if it is there and its disk can be written. What a link
 * leads to is not rekey's to change.
 */
export function narrowMode(path: string): void {
  explainFiles(path, () => {
    const found = infoOf(path);
    if (!found?.isFile || found.uid !== process.geteuid?.() || (found.mode! & 0o077) === 0) return;
    try {
      chmodSync(path, 0o600);
    } catch (error) {
      if (codeOf(error) !== "EROFS") throw error;
    }
  });
}

/** Gives a file or folder of this user's a mode. */
export function setMode(path: string, mode: number): void {
  explainFiles(path, () => chmodSync(path, mode));
}

function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600));
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
    const fd = openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    try {
      writeFileSync(fd, data);
      fsyncSync(fd);
    } catch (error) {
      // A part of it is of no use, and would take what little room a full disk gets.
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    if (process.geteuid !== undefined) withFolder(dirname(path), fsyncSync);
  });
}

/**
 * Whether something has that name in a folder. A folder that is not there holds nothing; one that cannot be
 * looked into, or a link to nowhere in its place, is no such answer.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be told.
 */
export function isThere(path: string): boolean {
  return explainFiles(path, () => {
    if (infoOf(path) !== undefined) return true;
    if (infoOf(dirname(path))?.isSymlink) {
      statSync(dirname(path));
    }
    return false;
  });
}

/**
 * Gives a finished file its name, once it is on the disk.
 *
 * @returns false when a file of that name is there and may not be replaced.
 */
export function moveIntoPlace(partial: string, path: string, replace: boolean): boolean {
  return explainFiles(path, () => {
    const fd = openSync(partial, O_RDONLY | O_NOFOLLOW);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!replace && infoOf(path) !== undefined) return false;
    renameSync(partial, path);
    if (process.geteuid !== undefined) withFolder(dirname(path), fsyncSync);
    return true;
  });
}

/** Copies a regular file to a new one (0600). */
export function copyPrivateFile(from: string, to: string): void {
  explainFiles(from, () => {
    if (!statSync(from).isFile()) throw notRegular(from);
  });
  makePrivateFile(to);
  explainFiles(to, () => copyFileSync(from, to));
}

/**
 * Keeps a damaged file under another name, so that a new one can take its place in one step, and takes away
 * the files beside it, which belong to it and would be taken for the new one's.
 *
 * @param endings of the files beside it.
 * @returns the other name; `undefined` when there is no such file.
 */
export function keepAside(path: string, endings: readonly string[]): string | undefined {
  return explainFiles(path, () => {
    const there = (name: string) => infoOf(name) !== undefined;
    let aside = `${path}.damaged`;
    for (let n = 2; ["", ...endings].some((end) => there(aside + end)); n++) {
      aside = `${path}.damaged-${n}`;
    }
    for (const end of endings) if (there(path + end)) renameSync(path + end, aside + end);
    if (!there(path)) return undefined;
    copyFileSync(path, aside);
    return aside;
  });
}

/** Deletes a folder with everything in it, if it is there. */
export function removeFolder(path: string): void {
  explainFiles(path, () => rmSync(path, { force: true, recursive: true }));
}

/**
 * What tells a file from another one that takes its path later; `undefined` when there is none. A file that
 * somebody has open keeps its number to itself.
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

/** When a file or folder was last changed, milliseconds since the epoch; `Infinity` when it is gone. */
export function timeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.mtime?.getTime() ?? Infinity);
}

/** Bytes of a file; 0 when it is not there. */
export function sizeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.size ?? 0);
}

/** Names in a folder that is there. */
export function namesIn(path: string): string[] {
  return explainFiles(path, () => readdirSync(path));
}

/** Deletes a file, if it is there. */
export function removeFile(path: string): void {
  explainFiles(path, () => rmSync(path, { force: true }));
}

const LONGEST_FILE = 2 ** 24;

/** Reads a regular file of at most `longest` bytes; `undefined` when there is none. */
export function readFileIfThere(path: string, longest = LONGEST_FILE): Uint8Array | undefined {
  return explainFiles(path, () => {
    try {
      // Opening a pipe would wait for its other end.
      const { isFile, size } = Deno.statSync(path);
      if (!isFile) throw notRegular(path);
      if (size > longest) throw tooLarge(path, longest);
      return Deno.readFileSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

function tooLarge(path: string, longest: number): RekeyError {
  return new RekeyError(
    "database_unusable",
    `Cannot use ${path}: it is larger than ${longest} bytes`,
    {
      hint: "Is it the right file?",
    },
  );
}

function notRegular(path: string): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: it is no regular file`, {
    hint: "Name another one",
  });
}

/** Refuses what belongs to somebody else, and sets a mode. */
function mineOnly(path: string, fd: number, mode: number): void {
  const { uid, mode: now } = fstatSync(fd);
  refuseOthers(path, uid);
  if (process.geteuid !== undefined && (now & 0o777) !== mode) fchmodSync(fd, mode);
}

function refuseOthers(path: string, uid: number | null): void {
  const me = process.geteuid?.();
  // Windows: the folder's access list is inherited from the profile.
  if (me === undefined || uid === me) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
    hint: `Run the command as its owner (uid ${uid}), or name another folder with --data-dir`,
  });
}

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
  EIO: "the disk is failing",
  EMFILE: "this program has too many files open",
  ENFILE: "this machine has too many files open",
};

function explainFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = REASONS[codeOf(error) ?? ""];
    if (reason === undefined) throw error;
    throw new RekeyError("database_unusable", `Cannot use ${path}: ${reason}`, {
      hint: "Check its owner and mode and those of its folder, or name another one",
      cause: error,
    });
  }
}

function codeOf(error: unknown): string | undefined {
  // The runtime keeps some places, such as /proc, even from programs that may read everything.
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
