import { isRekeyError, RekeyError } from "./errors.ts";

/** A value or a promise of one. Most requests wait for nothing, and each promise would make them slower. */
export type MaybeAsync<T> = T | Promise<T>;

/** `then` that calls `next` at once if the value is not a promise. */
export function andThen<T, U>(
  value: MaybeAsync<T>,
  next: (value: T) => MaybeAsync<U>,
): MaybeAsync<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** `try` for work that may throw or return a promise that rejects. */
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

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Runs a task once for concurrent callers. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Runs `task`, or waits for the running one of this name. */
  once(name: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const started = task().finally(() => this.#running.delete(name));
    this.#running.set(name, started);
    return started;
  }
}

/**
 * Lets the program end while a timer is pending. In a bundle with parts of Node's API `setTimeout` may return Node's
 * object, for which `Deno.unrefTimer` throws.
 */
export function unrefTimer(timer: unknown): void {
  if (typeof timer === "number") Deno.unrefTimer(timer);
  else (timer as { unref(): void }).unref();
}

// A longer timer would end at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits for `work` with a time-out. @returns `undefined` after the time-out; `work` goes on. */
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

const LOOK_EVERY_MS = 100;

/**
 * Runs work with a signal that aborts once `isOver` says so.
 *
 * @param isOver called ten times a second; when it cannot tell, the work goes on.
 */
export async function abortedWhen<T>(
  isOver: () => boolean,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setInterval(() => {
    try {
      if (isOver()) controller.abort();
    } catch (error) {
      if (!isRekeyError(error)) controller.abort(error);
    }
  }, LOOK_EVERY_MS);
  try {
    return await work(controller.signal);
  } finally {
    clearInterval(timer);
  }
}

/** Resolves to `undefined` when a signal aborts. */
export function abortion(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

const RETRY_EVERY_MS = 50;

/** Repeats a task that fails with `busy`, up to a time-out. Unlike SQLite's own waiting it does not block the thread. */
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
