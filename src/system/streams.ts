/** Reading pipes and open descriptors, which the runtime would wait for without end. */
export interface Streams {
  /** Whether a descriptor is a terminal. */
  isTerminal(descriptor: number): boolean;
  /**
   * Opens a file for reading without waiting for the other end, if it is a pipe, and closes it after use.
   *
   * @returns what `use` does; `undefined` when it cannot be opened.
   */
  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined;
  /** The next bytes, within so many milliseconds; none at the end. `failed` when the system refuses. */
  next(descriptor: number, waitMs: number): Uint8Array | "late" | "failed";
}

/** Bytes of a read that is tried: what a pipe holds. */
export const PIECE = 65_536;
