import type { RekeyError } from "../core/errors.ts";

const FIRST_MS = 500;
const LONGEST_MS = 5_000;

/** How long a keyring that cannot be used is not asked again: longer each time, up to five seconds. */
export class Pause {
  #why: RekeyError | undefined;
  #until = 0;
  #length = FIRST_MS / 2;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Why there is a pause, or was one without a success since. */
  get why(): RekeyError | undefined {
    return this.#why;
  }

  get isOn(): boolean {
    return this.#why !== undefined && this.now() < this.#until;
  }

  begin(why: RekeyError): void {
    // Refusals of calls that were under way together are one refusal.
    if (this.isOn) return;
    this.#why = why;
    this.#length = Math.min(this.#length * 2, LONGEST_MS);
    this.#until = this.now() + this.#length;
  }

  over(): void {
    this.#why = undefined;
    this.#length = FIRST_MS / 2;
  }
}
