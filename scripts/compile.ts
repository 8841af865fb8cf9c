import { findToolchain } from "./denort.ts";
import { runDeno } from "./run_deno.ts";
import { HOST } from "./target.ts";

/**
 * V8 flags of the binary; its code caches are valid for these flags only. Each half of the young generation grows to
 * 8 MB instead of 16, and the old one by 60 % between collections instead of to four times its size: a busy server needs
 * less memory at the same speed. With 2 MB at most, the headers of a browser survived collections: its requests took 1.8
 * times as long. It has 2 MB from the start, so that no short command collects garbage. Commands call most functions
 * a few times only, so Sparkplug is off, V8 allocates type feedback at the hundredth call instead of the eighth, and
 * Maglev, whose own code takes 3 MB of memory, starts at the thousandth instead of the four hundredth. With eight
 * thousand a server was slower for as long as it was measured. A regular expression that tries too many ways is matched by V8's linear engine:
 * presets of the operator have their own. `serve` collects garbage in quiet times by `gc()`.
 */
export const V8_FLAGS = "--v8-flags=" + [
  ...["--min-semi-space-size=2", "--max-semi-space-size=8", "--heap-growing-percent=60"],
  ...["--enable-experimental-regexp-engine-on-excessive-backtracks"],
  ...["--no-sparkplug", "--invocation-count-for-feedback-allocation=100"],
  ...["--invocation-count-for-maglev=1000", "--expose-gc"],
].join();

/**
 * Compiles a program to an executable for a target. V8's own code cache is off: it would be in a shared folder under a
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
