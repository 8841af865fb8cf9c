import { isRekeyError } from "./errors.ts";

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
