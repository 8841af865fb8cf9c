import { must, type Surroundings } from "./program.ts";
/** Options of {@linkcode runDeno}. */
export interface DenoOptions extends Pick<Surroundings, "env" | "signal"> {
  /** Path of another Deno. */
  readonly deno?: string;
}

/**
 * Runs Deno: this one, unless another is named.
 *
 * @throws {Error} with its output if it fails.
 */
export function runDeno(
  { env = {}, deno = Deno.execPath(), signal }: DenoOptions,
  ...args: string[]
): Promise<string> {
  return must(deno, args, { env, signal });
}
