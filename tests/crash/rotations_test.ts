import assert from "node:assert/strict";
import { killAlgorithmChanges } from "../support/faults/algorithm_crash.ts";
import { Box } from "../support/process/box.ts";
import { killRotations } from "../support/faults/crash.ts";
import { sample, THOROUGH } from "../support/process/sample.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

// `deno task crash` does the same a thousand times.
const KILLS = THOROUGH ? 30 : 4;

function assertReached(phases: Record<string, number>): void {
  assert.ok(phases["begin to commit"]! > 0, "no kill fell between begin and commit");
  assert.ok(phases["after commit"]! + phases["done"]! > 0, "no kill fell after the commit");
}

Deno.test(`${KILLS} kills during rotations on the database lose and double nothing`, async () => {
  using box = new Box();
  await box.run(["init"]);
  assertReached((await killRotations(box, KILLS)).phases);
});

Deno.test(`${KILLS} kills during rotations on the keyring lose and double nothing`, async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assertReached((await killRotations(box, KILLS)).phases);
});

const PLACES = [["database", () => new Box()], ["keyring", KeyringBox.start]] as const;
for (const [place, start] of sample(PLACES, 2)) {
  const kills = THOROUGH ? 100 : KILLS;
  Deno.test(`${kills} kills during rotations to a key pair and back on the ${place} leave one version that signs`, async () => {
    await using box = await start();
    await box.run(["init"]);
    assertReached((await killAlgorithmChanges(box, kills)).phases);
  });
}
