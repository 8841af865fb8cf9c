import type { RekeyError } from "./errors.ts";

const FIRST_MS = 500;
const LONGEST_MS = 5_000;

/** Exponential backoff: what failed is not tried again for half a second, then twice as long each time, up to five. */
export class Backoff {
  #why: RekeyError | undefined;
  #until = 0;
  #length = FIRST_MS / 2;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The last failure; `undefined` after a success. */
  get why(): RekeyError | undefined {
    return this.#why;
  }

  /** Whether it is too early to try again. */
  get isOn(): boolean {
    return this.#why !== undefined && this.now() < this.#until;
  }

  /** Takes a failure. Those of calls that were under way together count once. */
  failed(why: RekeyError): void {
    if (this.isOn) return;
    this.#why = why;
    this.#length = Math.min(this.#length * 2, LONGEST_MS);
    this.#until = this.now() + this.#length;
  }

  /** Takes a success. */
  succeeded(): void {
    this.#why = undefined;
    this.#length = FIRST_MS / 2;
  }
}
