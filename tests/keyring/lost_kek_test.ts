import assert from "node:assert/strict";
import { removeDatabase } from "../support/store/backing_up.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

for (const there of [true, false]) {
  const where = there ? "over the installation" : "on a machine without its database";
  Deno.test(`a lost KEK, and a keyring that still has the secret, ${where}: its tokens stay valid`, async () => {
    await using box = await KeyringBox.start();
    await box.run(["init"]);
    const token = await box.token();
    await box.run(["backup", "b.db"]);
    for (const path of [...box.files().keys()].filter((path) => path.endsWith(".kek"))) {
      Deno.removeSync(path);
    }
    if (!there) removeDatabase(box);
    const refused = await box.run(["restore", "b.db", "--force", "--json"]);
    assert.equal(JSON.parse(refused.stderr).error.code, "kek_missing");
    const restored = await box.run(["restore", "b.db", "--force", "--new-secret", "--json"]);
    assert.equal(restored.code, 0, restored.stderr);
    const { secret_from, version, not_restored } = JSON.parse(restored.stdout);
    assert.deepEqual([secret_from, version, not_restored.length], ["keyring", 1, 1]);
    assert.equal((await box.json("verify", token)).valid, true);
    assert.equal((await box.json("audit", "verify")).valid, true);
    assert.equal((await box.json("rotate", "--force")).version, 2);
    assert.equal((await box.json("audit", "verify")).valid, true);
  });
}
