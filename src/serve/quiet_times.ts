/** How often it is asked whether a time was quiet, in milliseconds. */
export const QUIET_MS = 5_000;

// So many requests, such as a monitor's, do not break the quiet.
const FEW = 10;

// What fewer leave is not worth the pause.
const MANY = 1_000;

// So many quiet times in a row, a minute: what V8 has compiled is lost, so that the requests of the next seconds take a
// fifth longer.
const LONG = 12;

/**
 * When a thread has its garbage collected besides the times at which V8 does that: in the first quiet time, since the
 * start leaves some, and in a quiet minute after many requests.
 */
export class QuietTimes {
  #counted = 0;
  #left = MANY;
  #quiet = 0;
  #enough = 1;

  /** Whether it is time. Asked for every {@linkcode QUIET_MS}. @param count of all requests until now. */
  isDue(count: number): boolean {
    const fresh = count - this.#counted;
    this.#counted = count;
    this.#left += fresh;
    this.#quiet = fresh > FEW ? 0 : this.#quiet + 1;
    if (this.#quiet < this.#enough || this.#left < MANY) return false;
    this.#left = 0;
    this.#enough = LONG;
    return true;
  }
}

/** V8's `--expose-gc`, which the binary has (`scripts/compile.ts`). */
const { gc } = globalThis as { gc?: (how: { type: "major"; flavor: "last-resort" }) => void };

/**
 * Collects all of this thread's garbage, and gives the space for new objects back. V8 does neither while nothing asks for
 * memory. Takes about 0.1 s, in which the thread answers nothing.
 */
export function collectGarbage(): void {
  gc?.({ type: "major", flavor: "last-resort" });
}
