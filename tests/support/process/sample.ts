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

/** Every n-th of them, beginning with the one at `first`; all of them with `deno task thorough`. */
export function sample<T>(all: readonly T[], n: number, first = 0): T[] {
  return all.filter((_, index) => THOROUGH || index % n === first);
}
