import type { MappedFile } from "../../system/files.ts";
import { SYSTEM } from "../../system/system.ts";

// The header of the WAL index, twice, at the start of the file `-shm` (https://sqlite.org/walformat.html#walidxfmt). Each
// commit of any process writes both, and SQLite itself finds out by them whether there was one.
const HEADERS_BYTES = 2 * 48;
const VERSION = 3_007_000;

/**
 * Tells quickly that a database in WAL mode has had no commit: it compares memory that SQLite shares between processes.
 * SQLite's own look, `PRAGMA data_version`, takes and releases a lock each time.
 */
export class WalIndex {
  readonly #seen: Int32Array;
  #mapped: MappedFile | undefined;

  private constructor(mapped: MappedFile) {
    this.#mapped = mapped;
    this.#seen = new Int32Array(mapped.numbers.length);
  }

  /**
   * @param path of a database that this thread has open, and has read.
   * @returns `undefined` where the system has no way, or the file is not as expected.
   */
  static of(path: string): WalIndex | undefined {
    const mapped = SYSTEM.quickLooks()?.mapped(`${path}-shm`, HEADERS_BYTES);
    if (mapped === undefined || mapped.numbers[0] === VERSION) {
      return mapped && new WalIndex(mapped);
    }
    mapped.release();
    return undefined;
  }

  /**
   * Whether nothing has been written to the headers since the last call. That includes a commit whose writer was killed
   * between the two.
   */
  isAsBefore(): boolean {
    const headers = this.#mapped?.numbers;
    if (headers === undefined) return false;
    let isSame = true;
    for (let at = 0; at < headers.length; at++) {
      // Atomic, so that what a commit has written before is visible afterwards.
      const now = Atomics.load(headers, at);
      if (now === this.#seen[at]) continue;
      this.#seen[at] = now;
      isSame = false;
    }
    return isSame;
  }

  /** Gives the memory back: from then on nothing is as before. */
  close(): void {
    this.#mapped?.release();
    this.#mapped = undefined;
  }
}
