import { RekeyError } from "../core/errors.ts";
import { HERE } from "../system/here.ts";

// A machine that sleeps does not count the time; it is asked again when it wakes up.
const LONGEST_NAP_MS = 30_000;

/** Listens for being asked to end, from its making on. */
export class Interruption implements Disposable {
  readonly #asked = Promise.withResolvers<never>();
  readonly #end = () =>
    this.#asked.reject(new RekeyError("cancelled", "Cancelled: nothing was changed"));

  constructor() {
    // It may come while nobody waits for anything.
    this.#asked.promise.catch(() => {});
    HERE.processes.stopping.forEach((signal) => Deno.addSignalListener(signal, this.#end));
  }

  /** Waits for something. @throws {RekeyError} `cancelled` when the program is asked to end, or was before. */
  async unless<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([this.#asked.promise, work]);
  }

  /** Waits until a time of day has come: milliseconds since the epoch. @throws {RekeyError} `cancelled`. */
  async until(at: number): Promise<void> {
    for (let left; (left = at - Date.now()) > 0;) {
      await this.unless(nap(Math.min(left, LONGEST_NAP_MS)));
    }
  }

  [Symbol.dispose](): void {
    HERE.processes.stopping.forEach((signal) => Deno.removeSignalListener(signal, this.#end));
  }
}

function nap(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
