/** Renaming, deleting and file locks. Errors of the system are thrown as they are, with their codes. */
export interface FileSystem {
  /** Whether a file that a program has open can be renamed and deleted. */
  readonly canMoveOpenFiles: boolean;
  /** Renames a file atomically, over an existing file if there is one. */
  rename(from: string, to: string): void;
  /** Deletes a file if it exists. */
  remove(path: string): void;
  /** Deletes a folder with its contents if it exists. */
  removeFolder(path: string): void;
  /** Whether a file is known to be on a read-only mount, where not even its owner can change it. */
  isReadOnly(path: string): boolean;
  /**
   * Whether another process holds a lock on a file. SQLite holds one while it has a database open in WAL mode.
   *
   * @returns `undefined` where the system does not tell.
   */
  isLockedByOthers(path: string): boolean | undefined;
}

/** Reading pipes and open descriptors with a time-out, which the runtime's calls do not have. */
export interface Streams {
  isTerminal(descriptor: number): boolean;
  /**
   * Opens a file for reading, and closes it after `use`. Opening a pipe does not wait for its writer.
   *
   * @returns what `use` returns; `undefined` if the file cannot be opened.
   */
  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined;
  /** Reads the next chunk within `timeoutMs` milliseconds; an empty chunk is the end. */
  next(descriptor: number, timeoutMs: number): Uint8Array | "timeout" | "failed";
}

/** Size of the buffer for one read, in bytes: the default capacity of a pipe on Linux. */
export const CHUNK_BYTES = 65_536;

/**
 * `lstat`, or `undefined` if the path does not exist. The runtime's own call loads ten times faster than `node:fs`.
 */
export function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}

/** Blocks this thread. */
export function sleepSync(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
