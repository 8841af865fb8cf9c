/**
 * A value that is there, or a promise of one. Most requests have nothing to wait for, and each promise on a request's
 * way costs them a part of what they take.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with a value: at once when it is there. */
export function andThen<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Does work that may fail at once or later, and goes on with its result or its error. */
export function attempt<T, U>(
  work: () => Soon<T>,
  next: (value: T) => Soon<U>,
  failed: (error: unknown) => Soon<U>,
): Soon<U> {
  let value: Soon<T>;
  try {
    value = work();
  } catch (error) {
    return failed(error);
  }
  return value instanceof Promise ? value.then(next, failed) : next(value);
}
