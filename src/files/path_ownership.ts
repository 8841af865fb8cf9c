import { RekeyError } from "../core/errors.ts";
import { SYSTEM } from "../system/system.ts";
import type { FileFacts, UnsafeFolder } from "../system/files.ts";

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
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    if ([NotFound, PermissionDenied, NotADirectory].some((kind) => error instanceof kind)) {
      return undefined;
    }
    throw error;
  }
}
