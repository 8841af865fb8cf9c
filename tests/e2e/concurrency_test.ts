import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Box } from "../support/box.ts";

const WRITERS = 6;
const ROTATIONS = 5;
const READERS = 4;

Deno.test(`${WRITERS} processes × ${ROTATIONS} rotations, ${READERS} readers: nothing but a refused token`, async () => {
  using box = new Box();
  await box.run(["init"]);
  let rotating = true;
  let reads = 0;
  const write = async () => {
    for (let i = 0; i < ROTATIONS; i++) {
      const { code, stderr } = await box.run(["rotate", "--force", "--lock-timeout", "2m"]);
      assert.equal(code, 0, stderr);
    }
  };
  const read = async () => {
    while (rotating) {
      const verdict = await box.json("verify", await box.token());
      assert.ok(verdict.valid || verdict.code === "retired_kid", JSON.stringify(verdict));
      reads++;
    }
  };
  const readers = Array.from({ length: READERS }, read);
  await Promise.all(Array.from({ length: WRITERS }, write));
  rotating = false;
  await Promise.all(readers);

  assert.ok(reads > 0);
  const { version, rows } = { ...await box.json("status"), ...await box.json("audit", "verify") };
  assert.equal(version, WRITERS * ROTATIONS + 1);
  assert.ok(rows > 2 * WRITERS * ROTATIONS);
  const sqlite = new DatabaseSync(box.database);
  const found = sqlite.prepare("SELECT version, state FROM rekey_versions ORDER BY version").all();
  sqlite.close();
  assert.deepEqual(found.map((row) => row.version), found.map((_, index) => index + 1));
  assert.deepEqual(found.filter(({ state }) => state !== "retired").length, 1);
});
