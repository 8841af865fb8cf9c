import { sleepSync } from "../../system/files.ts";
import { SYSTEM } from "../../system/system.ts";

// A server looks at the path of its database, not only into the file that it has open: another file may have been put
// there, and a command may have opened and rotated that one. A look for each request would be a system call for each. One
// that is at most so old, in milliseconds, is enough for guarantee 4: a commit returns no sooner than that after its
// connection has opened the file, which was at the path by then. So a request that is sent after the commit meets a look
// that has found the other file.
export const LOOK_MS = 1;

/** Looks at the path of a database that is open. */
export class PathLook {
  #lookedAt = -Infinity;

  private constructor(private readonly isThere: () => boolean) {}

  /** @param identity of the file that is open. @returns `undefined` where the system has no quick way. */
  static of(path: string, identity: string): PathLook | undefined {
    const isThere = SYSTEM.quickLooks()?.lookAt(path, identity);
    return isThere && new PathLook(isThere);
  }

  /** Whether the opened file was still there at the last look, which is at most {@linkcode LOOK_MS} old. */
  wasThere(): boolean {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return true;
    if (!this.isThere()) return false;
    // The time before the look: it must not seem newer than it is.
    this.#lookedAt = now;
    return true;
  }
}

/**
 * Blocks after a commit until all looks from before its connection was opened are too old to count. Opening and
 * committing usually take longer.
 *
 * @param openedAt when the file was open, by `performance.now()`.
 */
export function outlastLooks(openedAt: number): void {
  const rest = openedAt + LOOK_MS - performance.now();
  if (rest > 0) sleepSync(rest);
}
