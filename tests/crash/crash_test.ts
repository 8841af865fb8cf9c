import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import {
  killDestructions,
  killMoves,
  killRestorations,
  killRotations,
} from "../support/faults/crash.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

// `deno task crash` does the same a thousand times.
const KILLS = 30;
const STRIDE = 9;

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

Deno.test("a move that is killed anywhere leaves the value in one place, and every token valid", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assert.ok(await killMoves(box, STRIDE) > 5);
});

Deno.test("a restoration that is killed anywhere has happened or has not", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assert.ok(await killRestorations(box, STRIDE) > 5);
});
