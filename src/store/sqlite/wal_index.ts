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

  private constructor(private readonly headers: Int32Array) {
    this.#seen = new Int32Array(headers.length);
  }

  /**
   * @param path of a database that this thread has open, and has read.
   * @returns `undefined` where the system has no way, or the file is not as expected.
   */
  static of(path: string): WalIndex | undefined {
    const headers = SYSTEM.quickLooks()?.mapped(`${path}-shm`, HEADERS_BYTES);
    return headers?.[0] === VERSION ? new WalIndex(headers) : undefined;
  }

  /**
   * Whether nothing has been written to the headers since the last call. That includes a commit whose writer was killed
   * between the two.
   */
  isAsBefore(): boolean {
    const { headers } = this;
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
}
