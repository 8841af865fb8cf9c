import { findDenort } from "./denort.ts";
import { runDeno } from "./run_deno.ts";

/**
 * Compiles a program to an executable. V8's own cache of code is not used: it would lie in a shared folder under a
 * predictable name.
 */
export async function compile(entry: string, output: string, flags: string[] = []): Promise<void> {
  const denort = await (found ??= findDenort());
  const env: Record<string, string> = denort === undefined ? {} : { DENORT_BIN: denort };
  const fixed = ["--quiet", "--no-check", "--no-code-cache", "--no-prompt", "--no-config"];
  await runDeno(env, "compile", ...fixed, ...flags, "--output", output, entry);
}

let found: Promise<string | undefined> | undefined;
