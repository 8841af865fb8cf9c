import { RekeyError } from "./errors.ts";

/** A counting semaphore with a bounded queue. */
export class Semaphore {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly atOnce: number, private readonly mostWaiting: number) {}

  /** @throws {RekeyError} `busy` if the queue is full. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.atOnce) await this.#turn();
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next in the queue, ahead of new callers.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.mostWaiting) {
      throw new RekeyError("busy", "Cannot do this now: too many others are waiting", {
        hint: "Try again in a moment",
        retryAfter: 1,
      });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
