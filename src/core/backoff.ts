import type { RekeyError } from "./errors.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

/** Exponential backoff: half a second after the first failure, then twice as long each time, up to five seconds. */
export class Backoff {
  #failure: RekeyError | undefined;
  #until = 0;
  #pauseMs = FIRST_PAUSE_MS / 2;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The last failure; `undefined` after a success. */
  get failure(): RekeyError | undefined {
    return this.#failure;
  }

  /** Whether it is too early to try again. */
  get isOn(): boolean {
    return this.#failure !== undefined && this.now() < this.#until;
  }

  /** Records a failure. Failures during a pause do not count. */
  failed(failure: RekeyError): void {
    if (this.isOn) return;
    this.#failure = failure;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#until = this.now() + this.#pauseMs;
  }

  /** Records a success. */
  succeeded(): void {
    this.#failure = undefined;
    this.#pauseMs = FIRST_PAUSE_MS / 2;
  }
}
