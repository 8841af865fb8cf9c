import assert from "node:assert/strict";
import { killDestructions, killMoves, killRestorations } from "../support/faults/crash.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { THOROUGH } from "../support/process/sample.ts";

// Between two calls that a command is killed at; `deno task crash` kills it at each.
const STRIDE = THOROUGH ? 9 : 90;

Deno.test("a destruction that is killed anywhere is finished by the next command", async () => {
  await using box = await KeyringBox.start();
  // It makes fewer calls than the others.
  assert.ok(await killDestructions(box, Math.ceil(STRIDE * 2 / 3)) > 1);
});

Deno.test("a move that is killed anywhere leaves the value in one place, and every token valid", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assert.ok(await killMoves(box, STRIDE) > 1);
});

Deno.test("a restoration that is killed anywhere has happened or has not", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assert.ok(await killRestorations(box, STRIDE) > 1);
});
