import assert from "node:assert/strict";
import { KeyringBox, NOTE_ACCOUNT } from "../support/keyring/keyring_box.ts";
import { sql } from "../support/store/sql.ts";

Deno.test("the keyring keeps the head that the rotation printed, and a log cut off before it is found", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const { stderr } = await box.run(["rotate", "--force"]);
  const [, head] = /^audit head (\d+:[\w-]{43})$/m.exec(stderr) ?? [];
  assert.ok(head, stderr);
  assert.equal(JSON.parse(await box.lookup(NOTE_ACCOUNT) ?? "").head, head);
  assert.equal((await box.json("audit", "verify")).keyring_head, head);

  sql(box, `DELETE FROM rekey_audit WHERE seq >= ${Number.parseInt(head!)}`);
  const cut = await box.run(["audit", "verify"]);
  assert.equal(cut.code, 5);
  assert.match(cut.stderr, /cut off/);
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 0);
  assert.match(rotated.stderr, /warning: the audit log no longer holds the head/);
  assert.match((await box.run(["audit", "export"])).stdout, new RegExp(`keyring, ${head}`));
});

Deno.test("an older copy of the database put back is found by the head in the keyring", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const copy = `${box.home}/copy.db`;
  await box.run(["backup", copy]);
  await box.run(["rotate", "--force"]);
  Deno.copyFileSync(copy, box.database);
  assert.equal((await box.run(["audit", "verify"])).code, 5);
});

Deno.test("a locked keyring: the chain is verified, and what could not be compared is said", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.run(["rotate", "--force"]);
  await box.lock();
  const { code, stderr } = await box.run(["audit", "verify"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /warning: the head kept in the keyring could not be compared/);
});
