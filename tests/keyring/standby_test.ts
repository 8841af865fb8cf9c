import assert from "node:assert/strict";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { query } from "../support/store/sql.ts";

const settings = (box: KeyringBox) =>
  query(box, "SELECT key FROM settings ORDER BY key").map(({ key }) => key);

Deno.test("a prepared key pair waits in the keyring under its number, and moves with the rest", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const value = await box.lookup(`${ACCOUNT}.v2`);
  assert.match(value!, /^pkcs8:/);
  const current = await box.lookup();
  assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v2`]);

  await box.json("store", "move", "database");
  assert.deepEqual(await box.accounts(), []);
  assert.deepEqual(settings(box), ["jwt_secret", "jwt_secret.v2"]);
  await box.json("store", "move", "keyring");
  assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v2`]);
  assert.deepEqual(settings(box), []);
  assert.deepEqual([await box.lookup(), await box.lookup(`${ACCOUNT}.v2`)], [current, value]);

  assert.equal((await box.json("rotate", "--activate", "--force", "--grace", "1h")).kid, kid);
  assert.equal(await box.lookup(), value);
  assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v1`]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("verify", await box.token())).kid, kid);
});

Deno.test("a rotation in one step takes the prepared value out of the keyring", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.json("rotate", "--prepare");
  const value = await box.lookup(`${ACCOUNT}.v2`);
  await box.json("rotate", "--force");
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.notEqual(await box.lookup(), value);
  assertNowhere(box, spellings(value!));
  await box.json("rotate", "--prepare");
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
  assert.deepEqual(await box.accounts(), []);
});

Deno.test("a locked keyring: nothing is prepared or activated, and nothing lost", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init", "--mirror", "off"]);
  const off = ["--mirror", "off"];
  await box.lock();
  assert.equal((await box.run(["rotate", "--prepare", ...off])).code, 4);
  await box.unlock();
  const { kid } = await box.json("rotate", "--prepare", ...off);
  await box.lock();
  const refused = await box.run(["rotate", "--activate", ...off]);
  assert.equal(refused.code, 4, refused.stderr);
  await box.unlock();
  assert.equal((await box.json("rotate", "--activate", ...off)).kid, kid);
});
