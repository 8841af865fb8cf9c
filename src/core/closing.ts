/**
 * Uses something once, and closes it. The bundler's minifier forgets to close what `using` names if only the next
 * statement uses it, and that once: it writes the expression in the place of the name.
 */
export function closing<R extends Disposable, T>(resource: R, use: (resource: R) => T): T {
  try {
    return use(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}
