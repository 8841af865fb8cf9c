import { isRekeyError, RekeyError } from "./errors.ts";

/**
 * A value that is there, or a promise of one. Most requests have nothing to wait for, and each promise on a request's
 * way costs them a part of what they take.
 */
export type MaybeAsync<T> = T | Promise<T>;

/** Goes on with a value: at once when it is there. */
export function andThen<T, U>(
  value: MaybeAsync<T>,
  next: (value: T) => MaybeAsync<U>,
): MaybeAsync<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Does work that may fail at once or later, and goes on with its result or its error: a `try` for both cases. */
export function tryThen<T, U>(
  work: () => MaybeAsync<T>,
  next: (value: T) => MaybeAsync<U>,
  failed: (error: unknown) => MaybeAsync<U>,
): MaybeAsync<U> {
  let value: MaybeAsync<T>;
  try {
    value = work();
  } catch (error) {
    return failed(error);
  }
  return value instanceof Promise ? value.then(next, failed) : next(value);
}

/** Resolves after so many milliseconds. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Shares a task among those who ask for the same while it runs. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Runs `task`, or waits for the one that runs under this name. */
  once(name: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const started = task().finally(() => this.#running.delete(name));
    this.#running.set(name, started);
    return started;
  }
}

/**
 * Lets a program end although a timer still runs. In a bundle that holds parts of Node's the runtime's `setTimeout`
 * may answer Node's object, which `Deno.unrefTimer` throws at.
 */
export function unrefTimer(timer: unknown): void {
  if (typeof timer === "number") Deno.unrefTimer(timer);
  else (timer as { unref(): void }).unref();
}

// A longer one would be over at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What something comes to, if it does in that time; `undefined` otherwise, and it goes on. */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(milliseconds, LONGEST_TIMER_MS));
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** A counting semaphore with a bounded queue: a few tasks run at a time, some wait, and the rest are refused. */
export class Semaphore {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly atOnce: number, private readonly mostWaiting: number) {}

  /** @throws {RekeyError} `busy` when too many wait already. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.atOnce) await this.#turn();
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that no one slips in between.
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

const RETRY_EVERY_MS = 50;

/** Tries again while another process is writing, for so many milliseconds: unlike SQLite, it holds up no one meanwhile. */
export async function retryWhileBusy<T>(milliseconds: number, task: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + milliseconds;;) {
    try {
      return await task();
    } catch (error) {
      if (!isRekeyError(error, "busy") || performance.now() > end) throw error;
    }
    await delay(RETRY_EVERY_MS);
  }
}
