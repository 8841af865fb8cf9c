import { must, type Surroundings } from "./program.ts";
/** What {@linkcode runDeno} does differently when asked. */
export interface DenoOptions extends Pick<Surroundings, "env" | "signal"> {
  /** Path of another Deno. */
  readonly deno?: string;
}

/**
 * Runs a Deno: the one that runs this, unless another is named.
 *
 * @throws {Error} with what it said when it fails.
 */
export function runDeno(
  { env = {}, deno = Deno.execPath(), signal }: DenoOptions,
  ...args: string[]
): Promise<string> {
  return must(deno, args, { env, signal });
}
