import { ERROR_TABLE, type ErrorCode, RekeyError } from "../core/errors.ts";
import type { Freshness } from "../store/environment.ts";

// Four 64-bit floats. STEADY and SYSTEM: time of the last confirmed read, by the main thread's monotonic clock (which
// cannot be set back) and by the system clock (which continues while the machine sleeps). CHANGE: number of the change
// found then. TROUBLE: index + 1, in the error table, of the error that prevents following; 0 for none.
const [STEADY, SYSTEM, CHANGE, TROUBLE] = [0, 1, 2, 3];

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

/** Age of this machine's knowledge of its fleet, in memory that all threads share. */
export class SharedFreshness implements Freshness {
  readonly #facts: Float64Array;

  /**
   * @param buffer memory of the thread that follows the fleet; default: new memory, with nothing known.
   * @param aheadMs upper bound of how far that thread's monotonic clock is ahead of this thread's, in milliseconds.
   */
  constructor(
    readonly maxStalenessMs: number,
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(32),
    private readonly aheadMs = 0,
  ) {
    this.#facts = new Float64Array(buffer);
  }

  /** Records that `change` was the last one at a time, in milliseconds by either clock. */
  confirm(steady: number, system: number, change: number): void {
    // Before the times: another thread must not see the new times with an older change.
    this.#facts[CHANGE] = change;
    this.#facts[STEADY] = steady;
    this.#facts[SYSTEM] = system;
  }

  /** Records the error that prevents following; `undefined` when following works. */
  trouble(code: ErrorCode | undefined): void {
    this.#facts[TROUBLE] = code === undefined ? 0 : CODES.indexOf(code) + 1;
  }

  /** Discards what is known. */
  forget(): void {
    this.#facts[SYSTEM] = 0;
  }

  /** In milliseconds; infinite before the first confirmation. */
  age(): number {
    const [steady, system] = [this.#facts[STEADY]!, this.#facts[SYSTEM]!];
    if (system === 0) return Infinity;
    return Math.max(performance.now() + this.aheadMs - steady, Date.now() - system, 0);
  }

  mustBeFresh(change: number): void {
    const age = this.age();
    if (age > this.maxStalenessMs) throw stale(this.#why(age));
    if (change < this.#facts[CHANGE]!) throw stale("the database is an older copy");
  }

  #why(age: number): string {
    const long = Number.isFinite(age) ? ` for ${Math.floor(age / 1000)} s` : " yet";
    const code = CODES[this.#facts[TROUBLE]! - 1];
    return code === undefined || code === "etcd_unavailable"
      ? `etcd has not answered${long}`
      : `what etcd answers could not be followed${long} (${code})`;
  }
}

function stale(why: string): RekeyError {
  return new RekeyError(
    "fleet_stale",
    `Cannot tell whether the secret was rotated elsewhere: ${why}`,
    { hint: "Nothing is accepted until it can be told; `rekey doctor` says what is wrong" },
  );
}

// A single response may have waited for a busy thread.
const CLOCK_READS = 3;

/**
 * Upper bound of how far another thread's monotonic clock is ahead of this thread's, in milliseconds.
 *
 * @param clock reads that thread's clock.
 */
export async function aheadOf(clock: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let n = 0; n < CLOCK_READS; n++) {
    // Taken before the response was sent, so the difference is an upper bound.
    const asked = performance.now();
    least = Math.min(least, await clock() - asked);
  }
  return least;
}
