import assert from "node:assert/strict";
import { type Attempt, byBinary, inProcess } from "../support/faults/attempts.ts";
import { flipBits, type FlipReport } from "../support/faults/bit_flips.ts";
import { interrupted, makeSpecimen } from "../support/faults/specimen.ts";
import { THOROUGH } from "../support/process/sample.ts";

// `deno task bitflips` does the same ten thousand times.
const SEED = 1;

/** No failure; and the flips must have hit something, or they prove nothing. */
function assertSafe({ flips, outcomes, failures, auditChanged }: FlipReport): void {
  assert.deepEqual(failures, [], `seed ${SEED}: ${failures.join("; ")}`);
  assert.ok(outcomes.refused > flips / 10, "hardly any flip was refused");
  assert.ok(outcomes["audit row named"] > 0 && auditChanged > 0, "no flip hit an audit row");
  assert.ok(outcomes.harmless > flips / 10, "hardly any flip was harmless");
}

// Each flips bits of a copy: it is made once, by fourteen commands.
const specimen = await makeSpecimen();
globalThis.addEventListener("unload", () => specimen[Symbol.dispose]());

const [MANY, SOME, FEW] = THOROUGH ? [150, 50, 20] : [50, 25, 8];

Deno.test(`${MANY} flipped bits: refused, named, or of no consequence`, async () => {
  assertSafe(await flipBits(specimen, MANY!, SEED));
});

Deno.test(`${SOME} flipped bits after a rotation that was cut off`, async () => {
  using another = await makeSpecimen();
  assertSafe(await flipBits(interrupted(another), SOME!, SEED));
});

Deno.test(`${FEW} flipped bits under the binary itself`, async () => {
  assertSafe(await flipBits(specimen, FEW!, SEED, byBinary));
});

/** Answers that must not be, to a damaged database only. */
const LIES: [what: string, command: string, code: "ok"][] = [
  ["an audit log that holds", "audit verify", "ok"],
  ["a retired token that is accepted", "verify retired", "ok"],
  ["a token of a rotated secret that is accepted", "verify current after rotate", "ok"],
];
for (const [what, command, code] of LIES) {
  Deno.test(`the flips would find ${what}`, async () => {
    const lying: Attempt = async (of, database) => {
      const found = await inProcess(of, database);
      return database === of.bytes ? found : { ...found, [command]: { code } };
    };
    const { failures } = await flipBits(specimen, 50, SEED, lying, 1);
    assert.equal(failures.length, 1);
  });
}

Deno.test("the flips would find a bug, and a token that another secret signed", async () => {
  const breaking: Attempt = async (of, database) => {
    if (database !== of.bytes) throw new TypeError("a bug");
    return await inProcess(of, database);
  };
  assert.equal((await flipBits(specimen, 5, SEED, breaking)).failures.length, 5);
  const other = { ...specimen, secret: "another" };
  await assert.rejects(flipBits(other, 5, SEED), /signed with another secret/);
});
