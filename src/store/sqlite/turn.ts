import { retryWhileBusy } from "../../core/async.ts";
import { isRekeyError } from "../../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";
import { takeLock } from "./lock.ts";

/**
 * A command's turn to change the secret: its place, which it keeps to the end, and the lock, which it may let others have
 * for a while. No other turn begins meanwhile, except that of an incident, which needs no place.
 */
export class Turn implements Disposable {
  #lock: Disposable | undefined;

  private constructor(
    private readonly path: string,
    private readonly place: Disposable | undefined,
  ) {}

  /**
   * Takes the place and the lock.
   *
   * @param path of the lock; see {@linkcode placePath}.
   * @param waitMs how long to wait for another holder, in milliseconds.
   * @throws {RekeyError} `busy` when they are not free in time.
   */
  static take(path: string, waitMs: number): Turn {
    const end = performance.now() + waitMs;
    const turn = new Turn(path, takeLock(placePath(path), waitMs));
    return turn.#locked(Math.max(end - performance.now(), 0));
  }

  /** Takes the lock, and the place if it is free: whoever has it is overtaken, which {@linkcode isOvertaking} tells. */
  static overtake(path: string, waitMs: number): Turn {
    return new Turn(path, unlessBusy(() => takeLock(placePath(path), 0))).#locked(waitMs);
  }

  get isOvertaking(): boolean {
    return this.place === undefined;
  }

  /**
   * Lets others have the lock while `work` runs.
   *
   * @throws {RekeyError} `busy` when the lock does not become free again: the turn is over then.
   */
  async released<T>(work: () => Promise<T>): Promise<T> {
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
    try {
      return await work();
    } finally {
      this.#lock = await retryWhileBusy(
        LOCK_TIMEOUT_MS,
        () => Promise.resolve(takeLock(this.path, 0)),
      );
    }
  }

  #locked(waitMs: number): this {
    try {
      this.#lock = takeLock(this.path, waitMs);
      return this;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    this.place?.[Symbol.dispose]();
  }
}

/** Path of the place that belongs to a lock: whoever is dead does not hold it. */
export function placePath(lockPath: string): string {
  return lockPath.replace(/\.lock$/, ".turn.lock");
}

function unlessBusy<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isRekeyError(error, "busy")) return undefined;
    throw error;
  }
}

/**
 * Runs `work` in a turn, which rotations and recoveries take one after the other and readers never take. Its locks are
 * SQLite locks on empty files: the system releases them when the process ends, and SQLite waits for them.
 *
 * @param waitMs how long to wait for another holder, in milliseconds.
 * @throws {RekeyError} `busy` when it is not free in time.
 */
export async function exclusively<T>(
  path: string,
  work: () => Promise<T>,
  waitMs = LOCK_TIMEOUT_MS,
): Promise<T> {
  using _turn = Turn.take(path, waitMs);
  return await work();
}
