import process from "node:process";
import { isReadOnly } from "./mounts.ts";

/** A file that other users can read. */
export interface Exposure {
  readonly mode: number;
  readonly uid: number | null;
  /** Its mode cannot be changed from here: containers mount secrets so, and have one user. */
  readonly isReadOnly: boolean;
}

/**
 * Whether users for whom it is not meant can read a regular file, or what a link leads to. A group of the operator's own
 * making, such as that of a service, is meant: then the file is the system's. A pipe has no copies that others could
 * read, and what cannot be looked at is found out when it is opened.
 */
export function exposureOf(path: string): Exposure | undefined {
  if (process.geteuid === undefined) return undefined;
  const { mode, uid } = accessOf(path);
  if ((mode & 0o044) === 0) return undefined;
  if (uid !== process.geteuid() && uid === 0 && (mode & 0o004) === 0) return undefined;
  return { mode: mode & 0o777, uid, isReadOnly: isReadOnly(path) };
}

function accessOf(path: string): { mode: number; uid: number | null } {
  try {
    const { isFile, mode, uid } = Deno.statSync(path);
    return { mode: isFile ? mode ?? 0 : 0, uid };
  } catch (error) {
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    if ([NotFound, PermissionDenied, NotADirectory].some((kind) => error instanceof kind)) {
      return { mode: 0, uid: null };
    }
    throw error;
  }
}
