/** Whether tests try everything of which they otherwise try a part: `deno task thorough`. */
export const THOROUGH = Deno.env.has("REKEY_THOROUGH");

/** A test that only `deno task thorough` has: others have shown the same in another way. */
export function thoroughly(
  name: string,
  test: (t: Deno.TestContext) => Promise<void>,
  ignore = false,
): void {
  if (THOROUGH) Deno.test({ name, ignore, fn: test });
}

/**
 * Every n-th of them, beginning with the one at `first` modulo n; all of them with `deno task thorough`.
 *
 * @throws when none of some is left: a test of nothing would pass.
 */
export function sample<T>(all: readonly T[], n: number, first = 0): T[] {
  const some = all.filter((_, index) => THOROUGH || index % n === first % n);
  if (some.length === 0 && all.length > 0) {
    throw new Error(`A sample of ${all.length} has none of them`);
  }
  return some;
}
