import assert from "node:assert/strict";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { query } from "../support/store/sql.ts";

function settings(box: KeyringBox): string[] {
  const rows = query(box, "SELECT key FROM settings ORDER BY key");
  return rows.map(({ key }) => String(key));
}

Deno.test("store move keeps every token valid and leaves nothing behind, both ways", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const old = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const token = await box.token();
  const value = await box.lookup();
  assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v1`]);

  const { location, moved } = await box.json("store", "move", "database");
  assert.deepEqual([location, moved.length], ["database", 2]);
  assert.deepEqual(await box.accounts(), []);
  assert.deepEqual(settings(box), ["jwt_secret", "jwt_secret.v1"]);
  await box.kill();
  for (const one of [old, token]) assert.equal((await box.json("verify", one)).valid, true);
  assertNowhere(box, spellings(value!));
  await box.unlock();

  await box.json("store", "move", "keyring");
  assert.equal(await box.lookup(), value);
  assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v1`]);
  assert.deepEqual(settings(box), []);
  for (const one of [old, token]) assert.equal((await box.json("verify", one)).valid, true);
  assert.equal((await box.json("store", "move", "keyring")).moved.length, 0);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("a locked keyring: the mirror copy moves to the database, the entry goes when it is back", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init", "--mirror", "on"]);
  const token = await box.token();
  await box.lock();
  const { code, stderr } = await box.run(["store", "move", "database"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /could not be updated/);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("store", "show")).keyring, "keyring_locked");
  await box.unlock();
  await box.run(["status"]);
  assert.deepEqual(await box.accounts(), []);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a move is refused when the value cannot be read, or the keyring's entry belongs to another installation", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.lock();
  assert.equal((await box.run(["store", "move", "database"])).code, 4);
  await box.unlock();
  assert.equal((await box.json("status")).location, "keyring");

  const other = ["--data-dir", `${box.home}/other`];
  await box.run([...other, "init", "--store", "database"]);
  const { code, stderr } = await box.run([...other, "store", "move", "keyring"]);
  assert.equal(code, 4);
  assert.match(stderr, /not this installation's/);
  assert.equal((await box.json("verify", await box.token())).valid, true);
});

Deno.test("a hard-coded secret lives in the keyring like any other, in its grace window too", async () => {
  await using box = await KeyringBox.start();
  const text = "a hard-coded value with spaces, äöü, that someone chose in 2019";
  await box.run(["import", "--alg", "HS256"], { stdin: text });
  const old = await box.token();
  assert.equal(await box.lookup(), text);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal(await box.lookup(`${ACCOUNT}.v1`), text);
  assert.equal((await box.json("verify", old)).version, 1);
  await box.json("store", "move", "database");
  assert.equal((await box.json("verify", old)).version, 1);
  await box.run(["revoke"]);
  assert.equal((await box.json("verify", old)).code, "retired_kid");
  assert.deepEqual(await box.accounts(), []);
});
