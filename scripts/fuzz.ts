/**
 * `deno task fuzz [INPUTS] [SEED]`: random and mutated tokens for the parser and the verifier, until the first wrong
 * result. The unit tests run a few thousand.
 */
import { fuzzFigures, fuzzTokens } from "../tests/support/attacks/token_fuzz.ts";

const inputs = Number(Deno.args[0] ?? 1_000_000);
const seed = Number(Deno.args[1] ?? 1);
const start = performance.now();
const report = await fuzzTokens(inputs, seed);
const seconds = ((performance.now() - start) / 1_000).toFixed(0);
Deno.stdout.writeSync(new TextEncoder().encode(`${fuzzFigures(report)}; ${seconds} s\n`));
