import { ERROR_TABLE, type ErrorCode, RekeyError } from "../core/errors.ts";
import type { Freshness } from "../store/environment.ts";

// Four 64-bit floats. When what is known was last asked for, by the main thread's monotonic clock and by the system's
// clock: the system's goes on while the machine sleeps; the other one cannot be set back. The change of the shared
// state that was found then. Why it cannot be followed now: the place of an error's code in the table, from 1 on.
const [STEADY, SYSTEM, CHANGE, TROUBLE] = [0, 1, 2, 3];

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

/** How old what this machine knows of its fleet is; one memory for all threads. */
export class SharedFreshness implements Freshness {
  readonly #facts: Float64Array;

  /**
   * @param buffer of the thread that keeps up with the fleet; without one it is made, and nothing is known.
   * @param aheadMs by how much that thread's monotonic clock is ahead of this one's, or a little more.
   */
  constructor(
    readonly maxStalenessMs: number,
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(32),
    private readonly aheadMs = 0,
  ) {
    this.#facts = new Float64Array(buffer);
  }

  /** Up to a change, what is known is all that there was at a moment: milliseconds by either clock. */
  confirm(steady: number, system: number, change: number): void {
    // Before the times: what they are good for is this change and no older one.
    this.#facts[CHANGE] = change;
    this.#facts[STEADY] = steady;
    this.#facts[SYSTEM] = system;
  }

  /** Why the fleet cannot be followed now; `undefined` when it can. */
  trouble(code: ErrorCode | undefined): void {
    this.#facts[TROUBLE] = code === undefined ? 0 : CODES.indexOf(code) + 1;
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#facts[SYSTEM] = 0;
  }

  /** Milliseconds; infinite when nothing was ever known. */
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

// One answer may have waited for a thread that was busy.
const ASKED_TIMES = 3;

/**
 * By how many milliseconds another thread's monotonic clock is ahead of this one's, or a little more.
 *
 * @param clock asks that thread for its time.
 */
export async function aheadOf(clock: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let n = 0; n < ASKED_TIMES; n++) {
    // Asked before the answer was sent: it is no more ahead than this.
    const asked = performance.now();
    least = Math.min(least, await clock() - asked);
  }
  return least;
}
