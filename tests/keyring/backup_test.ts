import assert from "node:assert/strict";
import { join } from "node:path";
import { ageFlags } from "../support/store/backing_up.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";

function removeDatabase(box: KeyringBox): void {
  for (const path of box.files().keys()) {
    if (path.startsWith(box.database) && !path.endsWith(".backup")) Deno.removeSync(path);
  }
}

Deno.test("the secret that the keyring holds by now is found by a restoration, however old the backup", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.run(["backup", "old.db"]);
  const retired = await box.token();
  for (const version of [2, 3]) {
    const rotated = await box.run(["rotate", "--force", "--json"]);
    assert.deepEqual(
      [rotated.code, JSON.parse(rotated.stdout).version],
      [0, version],
      rotated.stderr,
    );
  }
  const token = await box.token();
  const value = await box.lookup();
  removeDatabase(box);
  for (const backup of ["old.db", `${box.database}.v2.backup`]) {
    const { version, secret_from, location } = await box.json("restore", backup, "--force");
    // The older backup is refused its place by nothing: there is no database the first time.
    assert.deepEqual([version, secret_from, location], [3, "newer", "keyring"], backup);
    assert.equal(await box.lookup(), value);
    assert.equal((await box.json("verify", token)).version, 3);
    assert.equal((await box.json("verify", retired)).valid, false);
    assert.equal((await box.json("audit", "verify")).valid, true);
    removeDatabase(box);
  }
});

Deno.test("a machine is restored, its secret in the keyring, from a backup with the sealed secret", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const token = await box.token();
  const value = await box.lookup();
  const { seal, open } = await ageFlags(box);
  await box.run(["backup", "b.db", "--with-secret", ...seal]);
  await box.run(["destroy", "--force"]);
  assert.deepEqual(await box.accounts(), []);
  const without = await box.run(["restore", "b.db"]);
  assert.equal(without.code, 4);
  const restored = await box.json("restore", "b.db", ...open);
  assert.deepEqual([restored.location, restored.secret_from], ["keyring", "envelope"]);
  assert.equal(await box.lookup(), value);
  // Whether the grace window was revoked since cannot be known.
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("a keyring that cannot be asked may hold a newer secret: an older one comes back by decision only", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const { seal, open } = await ageFlags(box);
  await box.run(["backup", "b.db", "--with-secret", ...seal]);
  await box.run(["rotate", "--force"]);
  const token = await box.token();
  removeDatabase(box);
  await box.lock();
  assert.equal((await box.run(["restore", "b.db", ...open])).code, 4);
  await box.kill();
  const absent = await box.run(["restore", "b.db", ...open]);
  assert.equal(absent.code, 4);
  assert.match(absent.stderr, /may hold a newer secret/);
  await box.unlock();
  assert.equal((await box.json("restore", "b.db", ...open)).version, 2);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a drill in a second data folder takes nothing from the first, whatever is done in it", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const { seal, open } = await ageFlags(box);
  await box.run(["backup", "b.db", "--with-secret", ...seal]);
  const token = await box.token();
  const drill = ["--data-dir", join(box.home, "drill")];
  const restored = await box.json("restore", "b.db", ...open, ...drill);
  assert.equal(restored.location, "database");
  assert.equal((await box.json("verify", token, ...drill)).valid, true);
  for (
    const args of [
      ["rotate", "--force"],
      ["kek", "rotate"],
      ["rotate", "--force", "--store", "auto"],
      ["destroy", "--force"],
    ]
  ) {
    const { code, stderr } = await box.run([...args, ...drill]);
    assert.equal(code, 0, `${args}: ${stderr}`);
    assert.equal((await box.json("verify", token)).valid, true, args.join(" "));
  }
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
});

Deno.test("a restoration over a newer secret brings the older one back to the keyring, when forced", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  const value = await box.lookup();
  const { seal, open } = await ageFlags(box);
  await box.run(["backup", "b.db", "--with-secret", ...seal]);
  await box.run(["rotate", "--force"]);
  const newer = await box.token();
  assert.equal((await box.run(["restore", "b.db", ...open])).code, 1);
  assert.equal((await box.json("restore", "b.db", "--force", ...open)).version, 1);
  assert.equal(await box.lookup(), value);
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("verify", newer)).code, "retired_kid");
  assert.equal((await box.json("rotate", "--force")).version, 3);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("a locked keyring: nothing is restored that would need it, and nothing is changed", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  await box.run(["backup", "b.db"]);
  await box.lock();
  const { code, stderr } = await box.run(["restore", "b.db", "--force"]);
  assert.equal(code, 4, stderr);
  await box.unlock();
  assert.equal((await box.json("verify", token)).valid, true);
});
