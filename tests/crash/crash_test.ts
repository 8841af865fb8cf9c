import assert from "node:assert/strict";
import { Box } from "../support/box.ts";
import { killDestructions, killRotations } from "../support/crash.ts";
import { KeyringBox } from "../support/keyring.ts";

// `deno task crash` does the same a thousand times.
const KILLS = 50;

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

Deno.test("a destruction that is killed anywhere is finished by the next command", async () => {
  await using box = await KeyringBox.start();
  assert.ok(await killDestructions(box) > 5);
});
