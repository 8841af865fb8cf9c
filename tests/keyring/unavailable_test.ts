import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

type Fault = [name: string, code: string, provoke: (box: KeyringBox) => void | Promise<void>];

const FAULTS: Fault[] = [
  ["locked", "keyring_locked", (box) => box.lock()],
  ["absent", "keyring_absent", (box) => box.kill()],
  ["stopped", "keyring_timeout", (box) => box.stop()],
];

for (const [name, code, provoke] of FAULTS) {
  Deno.test(`a secret in a keyring that is ${name}: exit 4, a hint, and nothing changes`, async () => {
    await using box = await KeyringBox.start();
    await box.run(["init"]);
    const value = await box.lookup();
    const token = await box.token();

    await provoke(box);
    for (
      const args of [["status"], ["verify", token], ["issue", "--sub", "x"], ["rotate", "--force"]]
    ) {
      const { code: exit, stdout, stderr } = await box.run([...args, "--json"]);
      assert.equal(exit, 4, `${args[0]}: ${stderr}`);
      if (args[0] === "status") assert.equal(JSON.parse(stdout).error.code, code);
      else assert.equal(stdout, "");
      const { error } = JSON.parse(stderr.trim().split("\n")[0]!);
      assert.equal(error.code, code);
      assert.ok(error.hint.length > 10);
    }

    box.cont();
    await box.unlock();
    assert.equal(await box.lookup(), value);
    const verified = await box.json("verify", token);
    assert.deepEqual([verified.valid, verified.version], [true, 1]);
    assert.equal((await box.json("rotate", "--force")).location, "keyring");
  });
}

Deno.test("init makes nothing while a keyring is locked: it may hold a secret already", async () => {
  await using box = await KeyringBox.start();
  await box.lock();
  const { code, stderr } = await box.run(["init"]);
  assert.equal(code, 4);
  assert.match(stderr, /--store database/);
  assert.ok(![...box.files().keys()].some((path) => path.endsWith(".db")));
});

Deno.test("rotate --store database replaces a secret in a locked keyring, which is cleared later", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  await box.lock();
  const { code, stderr } = await box.run(["rotate", "--force"]);
  assert.equal(code, 4);
  assert.match(stderr, /in an emergency `rekey rotate --force --store database` replaces/);
  const rotated = await box.json("rotate", "--force", "--store", "database");
  assert.equal(rotated.location, "database");
  assert.equal((await box.json("verify", token)).code, "retired_kid");
  await box.unlock();
  assert.equal((await box.accounts()).length, 1, "the old value is still there");
  await box.run(["rotate", "--force", "--store", "database"]);
  assert.deepEqual(await box.accounts(), []);
});

Deno.test("the sealed copy serves while the keyring is locked, and counts as a fallback", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init", "--mirror", "on"]);
  const token = await box.token();
  await box.lock();
  assert.equal((await box.json("verify", token)).valid, true);
  await box.unlock();
  const { fallback_rate } = await box.json("status");
  assert.ok(fallback_rate > 0 && fallback_rate < 1);
  const { stdout } = await box.run(["audit", "list"]);
  assert.match(stdout, /JWT secret retrieved from database \(fallback\)/);
  assert.match(stdout, /Keyring access error/);
});

const DAMAGE: [name: string, code: string, provoke: (box: KeyringBox) => Promise<void>][] = [
  ["is no base64 of 64 bytes", "secret_damaged", (box) => box.store("garbage")],
  ["is another secret", "secret_mismatch", (box) => box.store(`${"A".repeat(86)}==`)],
  ["is gone", "secret_missing", (box) => box.clear()],
];
for (const [name, code, provoke] of DAMAGE) {
  Deno.test(`a value that ${name} is not used or replaced; rotate --force makes a new one`, async () => {
    await using box = await KeyringBox.start();
    await box.run(["init"]);
    const token = await box.token();
    await provoke(box);
    const { code: exit, stderr } = await box.run(["verify", token, "--json"]);
    assert.equal(exit, 4);
    assert.equal(JSON.parse(stderr).error.code, code);
    assert.equal((await box.json("rotate", "--force")).version, 2);
    assert.equal((await box.json("verify", await box.token())).version, 2);
  });
}
