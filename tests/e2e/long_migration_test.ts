import assert from "node:assert/strict";
import { dirname } from "node:path";
import { Box } from "../support/process/box.ts";
import { older } from "../support/store/older.ts";
import { connect, sql } from "../support/store/sql.ts";

const NOTICE =
  /^Migrating the database \(\d+ MB\) for this rekey: other commands and servers wait/gm;

/** A box with a database as an older rekey has left it, and so many megabytes of an application in it. */
function boxWith(megabytes: number): Box {
  const box = new Box();
  Deno.mkdirSync(dirname(box.database), { recursive: true, mode: 0o700 });
  older(box.database);
  sql(
    box,
    `CREATE TABLE large (bytes); INSERT INTO large VALUES (zeroblob(${megabytes} * 1000000))`,
  );
  return box;
}

Deno.test("a migration that may take long is said once, before it; not with --quiet or --json", async () => {
  for (const command of ["status", "doctor", "rotate", "serve"]) {
    using box = boxWith(20);
    const noticed = async () => (await box.run([command])).stderr.match(NOTICE)?.length ?? 0;
    assert.deepEqual([await noticed(), await noticed()], [1, 0], command);
  }
  for (const flag of ["--quiet", "--json"]) {
    using box = boxWith(20);
    assert.doesNotMatch((await box.run([flag, "status"])).stderr, /Migrating/);
  }
});

Deno.test("a short migration is not worth a word", async () => {
  using box = boxWith(1);
  assert.doesNotMatch((await box.run(["status"])).stderr, /Migrating/);
});

Deno.test("who waits for a migration in vain is told that it may be one", async () => {
  using box = boxWith(1);
  using migrating = connect(`${box.database}.lock`);
  migrating.exec("BEGIN EXCLUSIVE");
  const { code, stderr } = await box.run(["status"]);
  assert.equal(code, 6, stderr);
  assert.match(stderr, /another rekey is rotating, recovering or migrating/);
  assert.match(stderr, /a migration by a newer rekey takes/);
});
