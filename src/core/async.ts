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
