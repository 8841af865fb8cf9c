import { statSync } from "node:fs";
import { dirname } from "node:path";
import { RekeyError } from "../core/errors.ts";
import type { Access } from "../system/permissions.ts";
import { infoOf } from "../system/files.ts";

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

const OTHERWISE = "Check its owner and mode and those of its folder, or name another one";
const HELD = "End the programs that have it open, such as `rekey serve`, and repeat the command";

/** Does something with a file. @throws {RekeyError} `database_unusable` for what the system refuses. */
export function explainFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = reasonOf(codeOf(error) ?? "");
    if (reason === undefined) throw error;
    throw new RekeyError("database_unusable", `Cannot use ${path}: ${reason}`, {
      hint: codeOf(error) === "EBUSY" ? HELD : OTHERWISE,
      cause: error,
    });
  }
}

// Windows has thousands of numbers, and no short names for them.
function reasonOf(code: string): string | undefined {
  const [, number] = /^WINDOWS_(\d+)$/.exec(code) ?? [];
  return number === undefined ? REASONS[code] : `Windows reports its error ${number}`;
}

/** The system's own name of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  // The runtime keeps some places, such as /proc, even from programs that may read everything.
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** A file that is read as a whole has a bound. */
export function tooLarge(path: string, longest: number): RekeyError {
  return new RekeyError(
    "database_unusable",
    `Cannot use ${path}: it is larger than ${longest} bytes`,
    {
      hint: "Is it the right file?",
    },
  );
}

/** A folder, a pipe or a device, where a file is wanted. */
export function notRegular(path: string, info?: Deno.FileInfo): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: ${kindOf(info)}`, {
    hint: info?.isFifo
      ? "It can be read once only, and is needed again: name a file, or a command where one can be given"
      : "Name another one, or move it out of the way",
  });
}

function kindOf(info: Deno.FileInfo | undefined): string {
  if (info?.isDirectory) return "it is a folder";
  if (info?.isSocket) return "it is a socket";
  if (info?.isFifo) return "it is a pipe, no regular file";
  if (info?.isCharDevice || info?.isBlockDevice) return "it is a device, no regular file";
  return "it is no regular file";
}

/** Refuses what belongs to someone else. */
export function refuseOthers(path: string, { isMine, owner }: Access): void {
  if (isMine) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
    hint: `Run the command as its owner (${owner}), or name another folder with --data-dir`,
  });
}
