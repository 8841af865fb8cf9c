import { closeSync, constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { fchmodSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { RekeyError } from "../core/errors.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY } = constants;

/**
 * Makes a folder that only its owner can enter (0700), with its parents. One that is there already
 * must be a real folder of this user.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made or belongs to somebody else.
 */
export function makePrivateFolder(path: string): void {
  explainFiles(path, () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW);
    try {
      mineOnly(path, fd, 0o700);
    } finally {
      closeSync(fd);
    }
  });
}

/** Makes an empty file (0600) in a private folder unless it is there; its mode is put right if it is. */
export function makePrivateFile(path: string): void {
  makePrivateFolder(dirname(path));
  explainFiles(path, () => {
    const fd = openSync(path, O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
    try {
      mineOnly(path, fd, 0o600);
    } finally {
      closeSync(fd);
    }
  });
}

/** Writes a file (0600) that must not be there yet, in a private folder. */
export function writeNewPrivateFile(path: string, data: Uint8Array | string): void {
  makePrivateFolder(dirname(path));
  explainFiles(path, () => {
    const fd = openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    try {
      writeFileSync(fd, data);
    } finally {
      closeSync(fd);
    }
  });
}

/** Reads a file; `undefined` when there is none. */
export function readFileIfThere(path: string): Uint8Array | undefined {
  return explainFiles(path, () => {
    try {
      return new Uint8Array(readFileSync(path));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

function mineOnly(path: string, fd: number, mode: number): void {
  const { uid, mode: now } = fstatSync(fd);
  const me = process.geteuid?.();
  if (me === undefined) return; // Windows: the folder's access list is inherited from the profile.
  if (uid !== me) {
    throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
      hint: `Run the command as its owner (uid ${uid}), or name another folder with --data-dir`,
    });
  }
  if ((now & 0o777) !== mode) fchmodSync(fd, mode);
}

const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "it is there already",
  EISDIR: "it is a folder",
  ELOOP: "it is a symbolic link",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "it is not there",
};

function explainFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = REASONS[codeOf(error) ?? ""];
    if (reason === undefined) throw error;
    throw new RekeyError("database_unusable", `Cannot use ${path}: ${reason}`, {
      hint: "Check the folder's owner and mode, or name another one with --data-dir",
      cause: error,
    });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
