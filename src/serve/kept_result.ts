import { asRefusalOrBug } from "../core/errors.ts";

/** Keeps the last result of some work, which is done again in the background while someone asks for it. */
export class KeptResult<Given extends unknown[], T> {
  #last: T | undefined;
  #startedAt = -Infinity;
  #isRunning = false;

  /** @param keptMs how often the work is begun at most, in milliseconds. */
  constructor(
    private readonly keptMs: number,
    private readonly work: (...given: Given) => Promise<T>,
  ) {}

  /** The last result; `undefined` until there is one. Waits for nothing. Work that fails leaves the last result. */
  last(...given: Given): T | undefined {
    const now = performance.now();
    if (!this.#isRunning && now - this.#startedAt > this.keptMs) {
      [this.#isRunning, this.#startedAt] = [true, now];
      // A bug in it must not end a server that verifies tokens.
      this.work(...given).then((result) => this.#last = result, asRefusalOrBug)
        .finally(() => this.#isRunning = false);
    }
    return this.#last;
  }
}
