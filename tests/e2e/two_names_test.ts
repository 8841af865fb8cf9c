import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { CAN_MOUNT, Mount, unless } from "../support/faults/faults.ts";
import { Box } from "../support/process/box.ts";
import { query } from "../support/store/sql.ts";

/** The other name is no other database: a restoration goes on with keys, id and log of the one that it replaces. */
async function mustRestoreInPlace(box: Box, other: string): Promise<void> {
  const ended = await box.token();
  assert.equal((await box.run(["rotate", "--force", "--grace", "1h"])).code, 0);
  const copy = join(box.home, "copy");
  assert.equal((await box.run(["backup", copy])).code, 0);
  assert.equal((await box.run(["revoke"])).code, 0);
  const facts = () => query(box, "SELECT key, value FROM rekey_meta WHERE key IN ('id', 'kek')");
  const [before, { kid }] = [facts(), await box.json("status")];
  const restored = await box.run(["--data-dir", other, "restore", copy, "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(facts(), before);
  assert.equal((await box.json("status")).kid, kid);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
  // A clone keeps what its backup accepts; here the version was revoked since.
  assert.equal((await box.run(["verify", ended])).code, 3);
}

/** What must hold where the data folder has another name, too. */
async function mustBeOnePlace(box: Box, other: string): Promise<void> {
  const own = dirname(box.database);
  const made = await box.run(["--data-dir", other, "init", "--store", "database"]);
  assert.deepEqual([made.code, made.stderr], [0, ""]);
  const { stdout } = await box.run(["--data-dir", other, "apps", "--json"]);
  assert.equal(stdout.trim().split("\n").length, 1, stdout);
  assert.equal(JSON.parse(stdout).used, true);
  const lost = await box.run(["--data-dir", join(box.home, "none"), "status"]);
  assert.match(lost.stderr, /known here|Name the one in/);
  await mustRestoreInPlace(box, other);
  const before = Deno.readFileSync(box.database).length;
  for (const name of ["agiworkforce.db", "agiworkforce.db-wal", "agiworkforce.db.lock"]) {
    const add = ["deliver", "add", "a", "--format", "text", "--force", "--path"];
    const { code, stderr } = await box.run([...add, join(other, name)]);
    assert.deepEqual([code, /rekey keeps its own files/.test(stderr)], [1, true], stderr);
  }
  assert.equal(Deno.readFileSync(box.database).length, before);
  const twice = ["--unix", join(own, "s"), "--unix", join(other, "s")];
  const served = await box.run(["serve", ...twice]);
  assert.equal(served.code, 2, served.stderr);
  assert.match(served.stderr, /it is the same socket as another one/);
}

/** A box with an empty data folder. */
function boxWithFolder(): Box {
  const box = new Box();
  Deno.mkdirSync(dirname(box.database), { recursive: true, mode: 0o700 });
  return box;
}

Deno.test("a data folder that a link leads to is one place", async () => {
  using box = boxWithFolder();
  const other = join(box.home, "other");
  Deno.symlinkSync(dirname(box.database), other);
  await mustBeOnePlace(box, other);
});

Deno.test("a data folder that is mounted at two places is one place", {
  ignore: unless(CAN_MOUNT, "root that may mount"),
}, async () => {
  using box = boxWithFolder();
  const other = join(box.home, "other");
  Deno.mkdirSync(other);
  using _mount = Mount.bound(dirname(box.database), other);
  await mustBeOnePlace(box, other);
});

Deno.test("two folders with the same names in them are two places", async () => {
  using box = boxWithFolder();
  const other = join(box.home, "other");
  assert.equal((await box.run(["init", "--store", "database"])).code, 0);
  const made = await box.run(["--data-dir", other, "init", "--store", "database"]);
  assert.match(made.stderr, /^warning: app agiworkforce has another secret, version 1 in /m);
  const { stdout } = await box.run(["apps", "--json", "--data-dir", other]);
  assert.equal(stdout.trim().split("\n").length, 2, stdout);
});
