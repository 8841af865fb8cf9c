import assert from "node:assert/strict";
import { join } from "node:path";
import { leftovers, prepared, removeDatabase } from "../support/store/backing_up.ts";
import { connect, sql } from "../support/store/sql.ts";

Deno.test("a damaged database is moved aside and the backup put in its place", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  removeDatabase(box);
  Deno.writeTextFileSync(box.database, "this is no database at all".repeat(400));
  const refused = await box.run(["restore", backup]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /restore --force/);
  const { damaged_database } = await box.json("restore", backup, "--force");
  assert.match(Deno.readTextFileSync(damaged_database), /no database at all/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("damage behind the header counts too: restore --force moves the database aside", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const bytes = Deno.readFileSync(box.database);
  for (let page = 3; page < 9; page++) {
    const damaged = bytes.slice();
    damaged.fill(0xaa, page * 4_096, page * 4_096 + 200);
    removeDatabase(box);
    Deno.writeFileSync(box.database, damaged, { mode: 0o600 });
    const { code, stderr } = await box.run(["restore", backup, "--force"]);
    assert.equal(code, 0, `page ${page}: ${stderr}`);
    assert.equal((await box.json("verify", token)).valid, true);
  }
});

Deno.test("the errors of a damaged backup and of a damaged database name no file that is not the user's, and no wrong place", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  await box.run(["rotate", "--force"]);
  await box.run(["backup", backup]);
  const bytes = Deno.readFileSync(backup).fill(0, 3 * 4_096, 3 * 4_096 + 60);
  Deno.writeFileSync(backup, bytes);
  const { code, stderr } = await box.run(["restore", backup, "--force"]);
  assert.equal(code, 1);
  assert.match(stderr, /integrity check of it fails/);
  assert.doesNotMatch(stderr, /rekey-peek/);
  const copy = await box.run(["restore", `${box.database}.v1.backup`, "--force"]);
  assert.match(copy.stderr, /a backup made by `rekey backup`, which has the value sealed/);
  Deno.writeFileSync(box.database, Deno.readFileSync(box.database).fill(0, 4_100, 7_100));
  const damaged = await box.run(["status"]);
  assert.match(damaged.stderr, /restore BACKUP --force`. A secret that was in a keyring/);
});

Deno.test("a write-ahead log of a lost database is not taken for the restored one's", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const sqlite = connect(box);
  sqlite.exec("UPDATE rekey_meta SET value = 'x' WHERE key = 'app'");
  const log = Deno.readFileSync(`${box.database}-wal`);
  sqlite.close();
  assert.ok(log.length > 0);
  removeDatabase(box);
  Deno.writeFileSync(`${box.database}-wal`, log);
  assert.equal((await box.run(["restore", backup])).code, 0);
  assert.equal((await box.json("verify", token)).valid, true);
  const beside = await box.run(["backup", join(box.home, "b2.db")]);
  assert.equal(beside.code, 0);
  Deno.writeFileSync(join(box.home, "b2.db-wal"), log);
  const refused = await box.run(["restore", join(box.home, "b2.db"), "--force"]);
  assert.match(refused.stderr, /write-ahead log lies beside it/);
});

Deno.test("a file that is not a sound backup of this app is refused and changes nothing", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const bytes = Deno.readFileSync(backup);
  const cases: [string, (path: string) => void][] = [
    ["junk", (path) => Deno.writeTextFileSync(path, "junk".repeat(5_000))],
    ["empty", (path) => Deno.writeTextFileSync(path, "")],
    ["cut", (path) => Deno.writeFileSync(path, bytes.subarray(0, bytes.length / 2))],
    ["changed log", (path) => sql(path, "UPDATE rekey_audit SET actor = 'eve' WHERE seq = 1")],
    ["no current version", (path) => sql(path, "UPDATE rekey_versions SET state = 'retired'")],
    ["other app", (path) => sql(path, "UPDATE rekey_meta SET value = 'x' WHERE key = 'app'")],
    ["trigger", (path) =>
      sql(
        path,
        "CREATE TRIGGER t AFTER INSERT ON rekey_audit BEGIN DELETE FROM rekey_versions; END",
      )],
    ["virtual table", (path) => sql(path, "CREATE VIRTUAL TABLE t USING fts5(x)")],
    ["newer", (path) => sql(path, "PRAGMA user_version = 99")],
    ["no log", (path) => sql(path, "DELETE FROM rekey_audit")],
    [
      "no audit key",
      (path) =>
        sql(path, "DELETE FROM rekey_audit; DELETE FROM rekey_meta WHERE key = 'audit_key'"),
    ],
    ["no algorithm", (path) => sql(path, "DELETE FROM rekey_meta WHERE key = 'alg'")],
    ["no sessions", (path) => sql(path, "DROP TABLE rekey_sessions")],
    ["another index", (path) => sql(path, "CREATE INDEX rekey_x ON rekey_audit (time)")],
    [
      "a number beyond reason",
      (path) =>
        sql(
          path,
          "PRAGMA foreign_keys = OFF; UPDATE rekey_versions SET version = 9007199254740991",
        ),
    ],
    ["other kid", (path) => sql(path, "UPDATE rekey_versions SET kid = 'AAAAAAAAAAAAAAAA'")],
  ];
  for (const [name, make] of cases) {
    const path = join(box.home, name);
    Deno.writeFileSync(path, bytes);
    make(path);
    assert.deepEqual(leftovers(box), []);
    const { code, stderr } = await box.run(["restore", path, "--force"]);
    assert.ok(code === 1 || code === 4, `${name}: ${code} ${stderr}`);
    assert.doesNotMatch(stderr, /Internal/, name);
    assert.equal((await box.json("verify", token)).valid, true, name);
  }
  assert.deepEqual(leftovers(box), []);
});
