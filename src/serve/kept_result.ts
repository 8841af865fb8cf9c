import { within } from "../core/async.ts";
import { asRefusalOrBug } from "../core/errors.ts";

/** Keeps the last result of some work, which is done again in the background while someone asks for it. */
export class KeptResult<Given extends unknown[], T> {
  #last: T | undefined;
  #startedAt = -Infinity;
  #running: Promise<unknown> | undefined;

  /** @param keptMs how often the work is begun at most, in milliseconds. */
  constructor(
    private readonly keptMs: number,
    private readonly work: (...given: Given) => Promise<T>,
  ) {}

  /** The last result; `undefined` until there is one. Waits for nothing. Work that fails leaves the last result. */
  last(...given: Given): T | undefined {
    const now = performance.now();
    if (this.#running === undefined && now - this.#startedAt > this.keptMs) {
      this.#startedAt = now;
      // A bug in it must not end a server that verifies tokens.
      this.#running = this.work(...given).then((result) => this.#last = result, asRefusalOrBug)
        .finally(() => this.#running = undefined);
    }
    return this.#last;
  }

  /**
   * The result of work that is due or under way, else the last one. Once the work has taken `waitMs` milliseconds, it is
   * not waited for: then the last result, or `undefined`.
   */
  async recent(waitMs: number, ...given: Given): Promise<T | undefined> {
    this.last(...given);
    const left = this.#startedAt + waitMs - performance.now();
    if (this.#running !== undefined && left > 0) await within(left, this.#running);
    return this.#last;
  }
}
