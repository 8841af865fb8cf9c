import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Database } from "../../src/store/sqlite/database.ts";
import { takeRows } from "../../src/store/sqlite/tables.ts";
import { closeAsLast } from "../../src/store/sqlite/write_ahead_log.ts";

Deno.test("a transaction that need not be durable leaves the next ones as durable as ever", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const database = Database.open(join(folder, "a.db"));
  const FULL = 2;
  const synchronous = () => database.prepare("PRAGMA synchronous").get()!.synchronous;
  let during: unknown;
  database.transaction(() => during = synchronous(), { durable: false });
  assert.notEqual(during, FULL);
  assert.equal(synchronous(), FULL);
  const fails = () =>
    database.transaction(() => {
      throw new Error("no");
    }, { durable: false });
  assert.throws(fails, /no/);
  assert.equal(synchronous(), FULL);
  database.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a transaction that others do not let begin leaves the next ones as durable as ever", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  const [holder, waiting] = [Database.open(path), Database.open(path)];
  holder.transaction(() => {
    const begin = () => waiting.transaction(() => {}, { waitMs: 0, durable: false });
    assert.throws(begin, { code: "busy" });
  });
  assert.equal(waiting.prepare("PRAGMA synchronous").get()!.synchronous, 2);
  for (const database of [holder, waiting]) database.close();
  Deno.removeSync(folder, { recursive: true });
});

// Only macOS makes a difference of it; here SQLite says what it was told.
Deno.test("macOS is told to put commits and checkpoints on the disk, and not into the drive's memory", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const database = Database.open(join(folder, "a.db"));
  const { fullfsync } = database.prepare("PRAGMA fullfsync").get()!;
  const { checkpoint_fullfsync } = database.prepare("PRAGMA checkpoint_fullfsync").get()!;
  assert.deepEqual([fullfsync, checkpoint_fullfsync], [1, 1]);
  database.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("files that reading has left stay while another program has locked the database", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  Database.open(path).close();
  const other = new DatabaseSync(path);
  // As SQLite does for the last connection that closes.
  other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT");
  closeAsLast(path);
  assert.ok(existsSync(`${path}-wal`));
  other.close();
  assert.ok(!existsSync(`${path}-wal`));
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a row whose key is no UTF-8 is taken once", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const [from, into] = ["from", "into"].map((name) => Database.open(join(folder, `${name}.db`)));
  // A byte that is greater than those of U+FFFD, which JavaScript reads in its place.
  from!.prepare("INSERT INTO rekey_audit_counts VALUES (CAST(x'f2' AS TEXT), '', 1)").run();
  into!.transaction(() => takeRows(into!, from!, "rekey_audit_counts"));
  assert.equal(into!.prepare("SELECT count(*) AS n FROM rekey_audit_counts").get()!.n, 1);
  for (const database of [from!, into!]) database.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("many rows are taken, and the indexes are there afterwards", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const [from, into] = ["from", "into"].map((name) => Database.open(join(folder, `${name}.db`)));
  const version =
    `INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, synced)
    VALUES (1, 'one', 'current', 'database', 'generated', 1, 1)`;
  for (const database of [from!, into!]) database.prepare(version).run();
  // More than a batch, and not a multiple of what one statement inserts.
  const rows = (until: number) =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${until})
     INSERT INTO rekey_sessions SELECT 'j' || i, 1, 'u' || i % 7, i, 1e12 + i, NULLIF(i % 3, 1) FROM n`;
  from!.prepare(rows(20_007)).run();
  into!.prepare(rows(50)).run();
  into!.transaction(() => takeRows(into!, from!, "rekey_sessions"));
  const all = (database: Database) => database.prepare("SELECT * FROM rekey_sessions").all();
  assert.deepEqual(all(into!), all(from!));
  assert.ok(into!.isSound());
  for (const database of [from!, into!]) database.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a database that was closed says that it is to be opened again", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const database = Database.open(join(folder, "a.db"));
  const statement = database.prepare("SELECT 1");
  database.change();
  database.close();
  const uses = {
    get: () => statement.get(),
    run: () => statement.run(),
    prepare: () => database.prepare("SELECT 2"),
    prepareArrays: () => database.prepareArrays("SELECT 2"),
    transaction: () => database.transaction(() => {}),
    change: () => database.change(),
    mustBeKnown: () => database.mustBeKnown(),
    truncateLog: () => database.truncateLog(),
  };
  for (const [what, use] of Object.entries(uses)) {
    assert.throws(use, { code: "busy", retryAfter: 0 }, what);
  }
  Deno.removeSync(folder, { recursive: true });
});
