import { RekeyError } from "../core/errors.ts";
import type { Access } from "../system/files.ts";

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
const CLOSE_IT =
  "End the programs that have it open, such as `rekey serve`, and repeat the command";

/** Turns errors of the system for a file into a {@linkcode RekeyError} `database_unusable`. */
export function explainFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = reasonOf(codeOf(error) ?? "");
    if (reason === undefined) throw error;
    throw new RekeyError("database_unusable", `Cannot use ${path}: ${reason}`, {
      hint: codeOf(error) === "EBUSY" ? CLOSE_IT : CHECK_PERMISSIONS,
      cause: error,
    });
  }
}

// Windows has thousands of error numbers, and no short names.
function reasonOf(code: string): string | undefined {
  const [, number] = /^WINDOWS_(\d+)$/.exec(code) ?? [];
  return number === undefined ? REASONS[code] : `Windows reports its error ${number}`;
}

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  // The runtime refuses some paths, such as /proc, even to programs with all permissions.
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** The error for a file that is larger than `longest` bytes. */
export function tooLarge(path: string, longest: number): RekeyError {
  return new RekeyError(
    "database_unusable",
    `Cannot use ${path}: it is larger than ${longest} bytes`,
    {
      hint: "Is it the right file?",
    },
  );
}

/** The error for a folder, a pipe or a device. */
export function notRegular(path: string, info?: Deno.FileInfo): RekeyError {
  return new RekeyError("database_unusable", `Cannot use ${path}: ${kindOf(info)}`, {
    hint: info?.isFifo
      ? "It can be read only once, and rekey reads it again: name a file, or a command where that is possible"
      : "Name another one, or move it out of the way",
  });
}

function kindOf(info: Deno.FileInfo | undefined): string {
  if (info?.isDirectory) return "it is a folder";
  if (info?.isSocket) return "it is a socket";
  if (info?.isFifo) return "it is a pipe, not a regular file";
  if (info?.isCharDevice || info?.isBlockDevice) return "it is a device, not a regular file";
  return "it is not a regular file";
}

/** @throws {RekeyError} `database_unusable` if a file belongs to another user. */
export function refuseOthers(path: string, { isMine, owner }: Access): void {
  if (isMine) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
    hint: `Run the command as its owner (${owner}), or name another folder with --data-dir`,
  });
}
