import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type Box, REKEY } from "../support/process/box.ts";
import { checkpointsIn, TRACING } from "../support/store/checkpoints.ts";
import { initialised } from "../support/process/initialised.ts";
import { connect } from "../support/store/sql.ts";

/** A connection that keeps the log from being deleted by whoever else closes the database. */
function connected(box: Box): DatabaseSync {
  const sqlite = connect(box);
  sqlite.exec("PRAGMA wal_autocheckpoint = 0; SELECT * FROM rekey_meta");
  return sqlite;
}

/** The checkpoints that a command makes. */
async function checkpointsOf(box: Box, ...args: string[]) {
  const trace = join(box.home, "trace");
  const ended = await box.exec("/usr/bin/strace", [...TRACING, trace, REKEY, ...args]);
  assert.equal(ended.code, 0, ended.stderr);
  return checkpointsIn(trace, box.database);
}

Deno.test("a rotation empties the log while no one else can write, and leaves one page in it", async () => {
  using box = await initialised();
  const other = connected(box);
  const { alone, exposed } = await checkpointsOf(box, "rotate", "--force", "--no-backup");
  assert.equal(exposed, 0);
  assert.ok(alone > 0);
  const { page_size } = other.prepare("PRAGMA page_size").get() as { page_size: number };
  // A few pages say that it is done.
  assert.ok(Deno.statSync(`${box.database}-wal`).size < 6 * page_size);
  other.close();
});

Deno.test("a log that has become long is written into the file while no one else can write", async () => {
  using box = await initialised();
  const other = connected(box);
  other.exec("CREATE TABLE mine (bytes BLOB); INSERT INTO mine VALUES (zeroblob(5000000))");
  const log = () => Deno.statSync(`${box.database}-wal`).size;
  assert.ok(log() > 5_000_000);
  assert.deepEqual(await checkpointsOf(box, "issue", "--sub", "alice"), {
    alone: 1,
    turns: 1,
    exposed: 0,
  });
  await box.token();
  assert.ok(log() < 500_000);
  other.close();
});

Deno.test("a rotation that waits for a reader to leave the log lets writers in between its tries", async () => {
  using box = await initialised();
  const reader = connected(box);
  reader.exec("BEGIN; SELECT * FROM rekey_meta");
  const { alone, turns, exposed } = await checkpointsOf(box, "rotate", "--force", "--no-backup");
  reader.close();
  assert.ok(alone > 0);
  assert.deepEqual([turns, exposed], [alone, 0]);
});
