import { HERE } from "../system/here.ts";
import type { FileFacts } from "../system/privacy.ts";

/** A file that other users can read. */
export interface Exposure {
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
  const { othersRead, mayFix, shown } = HERE.privacy.access(path, facts);
  if (!othersRead) return undefined;
  const fix = HERE.privacy.fix(path, mayFix ? "file" : "reading");
  return { shown, fix, mayFix, isReadOnly: HERE.privacy.isReadOnly(path) };
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
