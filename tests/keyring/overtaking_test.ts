import assert from "node:assert/strict";
import { HangingProgram } from "../support/deliver/hanging.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("an incident deletes the value of the rotation that it overtakes from the keyring", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await using api = await HangingProgram.start(box);
  const graceful = await api.hang("rotate", "--force", "--grace", "1h");
  assert.equal((await box.accounts()).length, 2);
  // A command that would finish what is left does not touch it while the rotation lives.
  await box.run(["status"]);
  assert.equal((await box.accounts()).length, 2);
  api.letGo();
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.equal((await graceful.output()).code, 1);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
  assert.equal((await box.json("status")).version, 3);
  assert.ok(await api.verifier.accepts(await box.token()));
});
