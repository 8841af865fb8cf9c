import { findToolchain } from "./denort.ts";
import { runDeno } from "./run_deno.ts";
import { HOST } from "./target.ts";

/**
 * V8's flags of the binary; its compiled code holds for these and no others. New objects get 2 MB before the old ones
 * among them are looked at, and not 16; and the rest grows by six tenths between two collections, and not to four times
 * its size: a busy server needs less than half the memory, and is as fast within what two runs differ by. Most commands
 * call hardly anything often: what helps from the second call on is left out (Sparkplug's machine code), and V8 begins to
 * watch what a function is called with, so as to make it faster, at the hundredth call and not at the eighth. A server
 * gets there with its first requests.
 */
export const V8_FLAGS = "--v8-flags=" + [
  ...["--max-semi-space-size=2", "--heap-growing-percent=60"],
  ...["--no-sparkplug", "--invocation-count-for-feedback-allocation=100"],
].join();

/**
 * Compiles a program to an executable for a kind of machine. V8's own cache of code is not used: it would lie in a shared folder under a
 * predictable name.
 */
export async function compile(
  entry: string,
  output: string,
  flags: string[] = [],
  target = HOST,
): Promise<void> {
  const { denort, deno } = await findToolchain(target);
  const env: Record<string, string> = denort === undefined ? {} : { DENORT_BIN: denort };
  const fixed = ["--quiet", "--no-check", "--no-code-cache", "--no-prompt", "--no-config"];
  if (target !== HOST) fixed.push("--target", target);
  await runDeno({ env, deno }, "compile", ...fixed, ...flags, "--output", output, entry);
}
