/**
 * `deno task fuzz [INPUTS] [SEED]`: that many random and mutated tokens for the parser and the verifier, until the
 * first that gets what must not be. A few thousand of them are among the unit tests.
 */
import { fuzzFigures, fuzzTokens } from "../tests/support/attacks/token_fuzz.ts";

const inputs = Number(Deno.args[0] ?? 1_000_000);
const seed = Number(Deno.args[1] ?? 1);
const start = performance.now();
const report = await fuzzTokens(inputs, seed);
const seconds = ((performance.now() - start) / 1_000).toFixed(0);
Deno.stdout.writeSync(new TextEncoder().encode(`${fuzzFigures(report)}; ${seconds} s\n`));
