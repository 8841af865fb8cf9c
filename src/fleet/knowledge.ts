import { RekeyError } from "../core/errors.ts";
import type { Knowledge } from "../store/installation.ts";

// Two 64-bit floats: when what is known was last asked for, by the main thread's monotonic clock and by the
// system's clock. The system's goes on while the machine sleeps; the other one cannot be set back.
const [STEADY, SYSTEM] = [0, 1];

/** How old what this machine knows of its fleet is; one memory for all threads. */
export class SharedKnowledge implements Knowledge {
  readonly #times: Float64Array;

  /**
   * @param buffer of the thread that keeps up with the fleet; without one it is made, and nothing is known.
   * @param aheadMs by how much that thread's monotonic clock is ahead of this one's, or a little more.
   */
  constructor(
    readonly maxStalenessMs: number,
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(16),
    private readonly aheadMs = 0,
  ) {
    this.#times = new Float64Array(buffer);
  }

  /** What is known is all that there was at a moment: milliseconds by either clock. */
  confirm(steady: number, system: number): void {
    this.#times[STEADY] = steady;
    this.#times[SYSTEM] = system;
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#times[SYSTEM] = 0;
  }

  /** Milliseconds; infinite when nothing was ever known. */
  age(): number {
    const [steady, system] = [this.#times[STEADY]!, this.#times[SYSTEM]!];
    if (system === 0) return Infinity;
    return Math.max(performance.now() + this.aheadMs - steady, Date.now() - system, 0);
  }

  mustBeFresh(): void {
    const age = this.age();
    if (age <= this.maxStalenessMs) return;
    const long = Number.isFinite(age) ? ` for ${Math.floor(age / 1000)} s` : " yet";
    throw new RekeyError(
      "fleet_stale",
      `Cannot tell whether the secret was rotated elsewhere: etcd has not answered${long}`,
      { hint: "Nothing is accepted until it does; `rekey doctor` asks each of its members" },
    );
  }
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
