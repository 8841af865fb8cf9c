import { RekeyError } from "../core/errors.ts";
import { SYSTEM } from "../system/system.ts";
import type { FileFacts, UnsafeFolder } from "../system/permissions.ts";

/**
 * Makes sure that no other user can exchange what a path leads to: every folder and symbolic link on the way, as
 * far as they are there, belongs to this user or the system, and nobody else may rename what is in them. Without
 * it a check of the file itself says little, since another one may be there a moment later.
 *
 * What is at the end, unless it is a link, is not looked at: that is the caller's.
 *
 * @throws {RekeyError} `database_unusable` when somebody else is in between.
 */
export function refuseUnsafePath(path: string): void {
  const unsafe = SYSTEM.permissions.unsafeFolderOf(path);
  if (unsafe !== undefined) throw unsafePath(path, unsafe);
}

/** What is said of it. */
export function unsafePath(path: string, { folder, isOpen }: UnsafeFolder): RekeyError {
  const why = isOpen ? "can be written by every user" : "belongs to another user";
  return new RekeyError("database_unusable", `Cannot use ${path}: ${folder} on the way ${why}`, {
    hint: "They could exchange what is there. Name a place of your own, or take that right away",
  });
}

/** A file that other users can read. */
interface Exposure {
  /** What lets them, for messages: `mode 0644`. */
  readonly shown: string;
  /** The command by which an operator takes that right away. */
  readonly fix: string;
  /** Whether this user may do so: else it is another's file. */
  readonly mayFix: boolean;
  /** Who may use it cannot be changed from here: containers mount secrets so, and have one user. */
  readonly isReadOnly: boolean;
}

/**
 * Whether users for whom it is not meant can read a regular file, or what a link leads to. A pipe has no copies that
 * others could read, and what cannot be looked at is found out when it is opened.
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
