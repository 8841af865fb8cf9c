/**
 * `deno task bitflips [FLIPS] [SEED]`: flips single bits of a database, each in a separate copy, and reports how commands
 * behave. Fails at wrong behaviour.
 */
import { byBinary } from "../tests/support/faults/attempts.ts";
import { flipBits, flipFigures, type FlipReport } from "../tests/support/faults/bit_flips.ts";
import { interrupted, makeSpecimen } from "../tests/support/faults/specimen.ts";

const flips = Number(Deno.args[0] ?? 10_000);
const seed = Number(Deno.args[1] ?? 1);

using specimen = await makeSpecimen();
const reports: [what: string, report: FlipReport][] = [
  ["managers", await flipBits(specimen, flips, seed)],
  ["managers, after a cut-off rotation", await flipBits(interrupted(specimen), flips / 4, seed)],
  ["binary", await flipBits(specimen, Math.min(flips, 300), seed, byBinary)],
];
for (const [what, report] of reports) {
  const lines = [`${what}: ${flipFigures(report)}`, ...report.failures, ""];
  Deno.stdout.writeSync(new TextEncoder().encode(lines.join("\n")));
}
if (reports.some(([, { failures }]) => failures.length > 0)) Deno.exitCode = 1;
