import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";

Deno.test("--if-older-than leaves a young secret alone", async () => {
  using box = new Box();
  await box.run(["init"]);
  const left = await box.json("rotate", "--force", "--if-older-than", "90d");
  assert.deepEqual([left.version, left.rotated], [1, false]);
  const young = ["rotate", "--force", "--if-older-than", "90d"];
  assert.match((await box.run(young)).stdout, /^Nothing to do: .* is young enough$/m);
  const planned = await box.run([...young, "--dry-run"]);
  assert.match(planned.stdout, /^Would do nothing: the secret is young enough$/m);
  const done = await box.json("rotate", "--force", "--if-older-than", "0s");
  assert.deepEqual([done.version, done.rotated], [2, undefined]);
});

Deno.test("the same --request-id again answers with the rotation that it made, also when ten ask at once", async () => {
  using box = new Box();
  await box.run(["init"]);
  const args = ["rotate", "--force", "--json", "--request-id", "deploy-7"];
  const ended = await Promise.all(Array.from({ length: 10 }, () => box.run(args)));
  const answers = ended.map(({ stdout, stderr }) => {
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout);
  });
  assert.equal(answers.filter(({ rotated }) => rotated === undefined).length, 1);
  for (const { version, previous_version } of answers) {
    assert.deepEqual([version, previous_version], [2, 1]);
  }
  await box.run(["rotate", "--force"]);
  assert.equal((await box.json("rotate", "--force", "--request-id", "deploy-7")).version, 2);
  assert.equal((await box.json("rotate", "--force", "--request-id", "deploy-8")).version, 4);
});

Deno.test("revoke ends every grace window", async () => {
  using box = new Box();
  await box.run(["init"]);
  const tokens = [await box.token()];
  await box.run(["rotate", "--force", "--grace", "1h"]);
  tokens.push(await box.token());
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal((await box.json("status")).grace.length, 2);
  assert.deepEqual((await box.json("revoke")).revoked_versions, [2, 1]);
  for (const token of tokens) assert.equal((await box.json("verify", token)).code, "retired_kid");
  assert.deepEqual((await box.json("status")).grace, []);
  assert.deepEqual((await box.json("revoke")).revoked_versions, []);
});
