import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { prepared, removeDatabase } from "../support/store/backing_up.ts";

const NOTHING_TO_COMPARE =
  /^warning: no usable database was here to compare the backup of \S+ with: .* is lost/m;
const ROTATE = /version 1 verifies again if it was rotated away: .*`rekey rotate --force` now$/m;

/** A backup from before a rotation, of which the database knows. */
async function older(): Promise<{ box: Box; token: string; backup: string }> {
  const found = await prepared();
  await found.box.run(["backup", found.backup]);
  await found.box.run(["rotate", "--force", "--reason", "stolen"]);
  return found;
}

async function restored(box: Box, backup: string, ...more: string[]): Promise<string> {
  const { code, stderr } = await box.run(["restore", backup, "--force", ...more]);
  assert.equal(code, 0, stderr);
  return stderr;
}

Deno.test("restore over a database that is damaged or gone warns that what was changed since is lost", async () => {
  const { box, token, backup } = await older();
  using _ = box;
  assert.equal((await box.json("verify", token)).valid, false);
  for (const isGone of [false, true]) {
    removeDatabase(box);
    if (!isGone) Deno.writeTextFileSync(box.database, "no database".repeat(400));
    const stderr = await restored(box, backup);
    assert.match(stderr, NOTHING_TO_COMPARE);
    assert.match(stderr, ROTATE);
    assert.equal((await box.json("verify", token)).valid, true, "as it warns");
  }
  removeDatabase(box);
  Deno.removeSync(`${box.database}.v1.backup`);
  const stderr = await restored(box, backup);
  assert.match(stderr, NOTHING_TO_COMPARE, "no copy is needed for that");
});

Deno.test("restore does not warn so over a database that knows, in a drill, or of a version for a new secret", async () => {
  const { box, backup } = await older();
  using _ = box;
  const newest = join(box.home, "newest.db");
  await box.run(["backup", newest]);
  const drill = await restored(box, newest, "--data-dir", join(box.home, "drill"));
  assert.doesNotMatch(drill, /no usable database/);
  const over = await restored(box, backup);
  assert.match(over, /version 1, which was rotated away \(stolen\), verifies again/);
  assert.doesNotMatch(over, /no usable database/);
  await box.run(["rotate", "--force"]);
  removeDatabase(box);
  const copy = [...box.files().keys()].find((path) => path.endsWith(".backup"))!;
  const stderr = await restored(box, copy, "--new-secret");
  assert.match(stderr, NOTHING_TO_COMPARE);
  assert.match(stderr, /so that removed users are back$/m, "all sessions have ended");
  assert.doesNotMatch(stderr, /verifies again/);
});
