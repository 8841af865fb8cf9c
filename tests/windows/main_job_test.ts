import assert from "node:assert/strict";
import { onWindows } from "../support/windows/tests.ts";

onWindows("rekey does its main job", async (box, location) => {
  assert.equal((await box.json("init")).location, location);
  const old = await box.token("alice");
  assert.equal((await box.json("verify", old)).claims.sub, "alice");
  const rotated = await box.run(["rotate", "--force", "--reason", "drill"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  const refused = await box.run(["verify", "-"], { stdin: `${old}\r\n` });
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /^error: Cannot accept the token: version 1[^\n]*\nhint: [^\n]*\n$/);
  assert.equal((await box.run(["verify", "-"], { stdin: await box.token() })).code, 0);
  const status = await box.json("status");
  assert.deepEqual([status.version, status.location], [2, location]);
  const { valid } = await box.json("audit", "verify");
  assert.equal(valid, true);
  const backups = [...box.files().keys()].filter((path) => /backup/.test(path));
  assert.equal(backups.length, 1, "the copy that a rotation makes");
});

onWindows("a grace window is over when it is revoked", async (box) => {
  await box.json("init");
  const old = await box.token();
  await box.json("rotate", "--force", "--grace", "15m");
  assert.equal((await box.json("verify", old)).valid, true);
  const revoked = await box.run(["revoke"]);
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal((await box.json("verify", old)).valid, false);
});

onWindows(
  "the secret moves to the other location and back, and its tokens stay valid",
  async (box, location) => {
    await box.json("init");
    const token = await box.token();
    const other = location === "keyring" ? "database" : "keyring";
    for (const to of [other, location]) {
      const moved = await box.run(["store", "move", to]);
      assert.equal(moved.code, 0, moved.stderr);
      assert.equal((await box.json("store", "show")).location, to);
      assert.equal((await box.json("verify", token)).valid, true);
    }
  },
);

onWindows(
  "the doctor finds nothing on a new machine, and a destroyed one is made once more",
  async (box) => {
    await box.json("init");
    const { healthy, findings } = await box.json("doctor");
    assert.deepEqual([healthy, findings], [true, []]);
    assert.equal((await box.run(["destroy", "--force"])).code, 0);
    assert.equal((await box.run(["status"])).code, 4);
    assert.equal((await box.json("init")).version, 1);
  },
);
