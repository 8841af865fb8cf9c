import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring.ts";
import { assertNowhere, spellings } from "../support/leaks.ts";

Deno.test("init keeps 88 characters of base64 in the real keyring and nothing of it elsewhere", async () => {
  await using box = await KeyringBox.start();
  const ended = await box.run(["init"]);
  assert.equal(ended.code, 0, ended.stderr);
  const value = await box.lookup();
  assert.match(value ?? "", /^[A-Za-z0-9+/]{86}==$/);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
  assertNowhere(box, spellings(value!), ended.stdout, ended.stderr);
});

Deno.test("issue, verify, rotate: the old token is refused, a new one accepted", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const before = await box.lookup();
  const old = await box.token();
  assert.equal((await box.run(["verify", old])).code, 0);

  const rotated = await box.json("rotate", "--force", "--reason", "test");
  assert.deepEqual([rotated.version, rotated.previous_version, rotated.location], [
    2,
    1,
    "keyring",
  ]);
  const after = await box.lookup();
  assert.notEqual(after, before);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);

  const refused = await box.json("verify", old);
  assert.deepEqual([refused.valid, refused.code], [false, "retired_kid"]);
  assert.equal((await box.run(["verify", old])).code, 3);
  assert.equal((await box.run(["verify", await box.token()])).code, 0);
  assertNowhere(box, spellings(before!));
  assertNowhere(box, spellings(after!));
});

Deno.test("a grace window keeps both values, the older one under its number", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const before = await box.lookup();
  const old = await box.token();
  await box.json("rotate", "--force", "--grace", "2s");
  assert.equal(await box.lookup("agiworkforce.jwt_secret.v1"), before);
  assert.equal((await box.json("verify", old)).version, 1);
  assert.equal((await box.json("status")).grace[0].version, 1);
  await new Promise((done) => setTimeout(done, 2_100));
  assert.equal((await box.json("verify", old)).code, "retired_kid");
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
});

Deno.test("destroy leaves nothing in the keyring and no file", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal((await box.accounts()).length, 2);
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
  assert.deepEqual(await box.accounts(), []);
  const left = [...box.files().keys()].filter((path) => /agiworkforce/.test(path));
  assert.deepEqual(left, []);
});
