import assert from "node:assert/strict";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isRekeyError } from "../../src/core/errors.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { NEW_SCHEMA } from "../../src/store/sqlite/new_schema.ts";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { isPlain, isSound } from "../../src/store/sqlite/soundness.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";
import { connect, sql } from "../support/store/sql.ts";

/** What one flipped bit can do to a table's definition or to the file's header. */
const DAMAGE: [what: string, sql: string][] = [
  ["a table that knows other states", redefined("'pending'", "'pendinG'")],
  ["a column under another name", redefined("seq INTEGER", "sEq INTEGER")],
  ["a row without its number", redefined("version INTEGER PRIMARY", "versioN INTEGER PRIMARY")],
  ["a schema number of 0", "PRAGMA user_version = 0"],
  ["a schema number below 0", "PRAGMA user_version = -5"],
  ["a torn record of an older key file", "INSERT INTO rekey_meta VALUES ('stale_kek', '{')"],
  [
    "an index that knows a row too many",
    `INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, synced)
     VALUES (9, 'x', 'pending', 'database', 'generated', 0, 1);
     ${redefined("state = 'pending'", "state = 'pendinG'")};
     PRAGMA writable_schema = RESET; UPDATE rekey_versions SET state = 'retired' WHERE version = 9;
     ${redefined("state = 'pendinG'", "state = 'pending'")}`,
  ],
];

function redefined(from: string, to: string): string {
  const [found, put] = [from, to].map((text) => text.replaceAll("'", "''"));
  return `PRAGMA writable_schema = ON;
          UPDATE sqlite_schema SET sql = replace(sql, '${found}', '${put}')`;
}

async function made(environment: TestEnvironment): Promise<void> {
  const manager = new SecretManager(environment);
  await manager.getOrCreate({ store: "database" });
  manager.close();
}

// The runtime forbids changes of the schema's text unless it is told otherwise; its types do not know the option.
function withoutDefence({ folders }: TestEnvironment): DatabaseSync {
  const options: object = { defensive: false };
  return connect(join(folders.data, "agiworkforce.db"), options);
}

for (const [what, sql] of DAMAGE) {
  Deno.test(`${what}: the database is damaged, and rekey has no bug`, async () => {
    using environment = testEnvironment();
    await made(environment);
    const sqlite = withoutDefence(environment);
    sqlite.exec(sql);
    sqlite.close();
    const manager = new SecretManager(environment);
    await assert.rejects(manager.rotate(), (error) => isRekeyError(error, "database_damaged"));
    manager.close();
  });
}

Deno.test("an index that another table writes into does not end the current version", async () => {
  using environment = testEnvironment();
  await made(environment);
  const sqlite = withoutDefence(environment);
  // One bit of a page number: what counts retrievals then looks like versions in a grace window.
  sqlite.exec(`PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET rootpage =
      (SELECT rootpage FROM sqlite_schema WHERE name = 'rekey_previous')
    WHERE name = 'rekey_audit_counts'; PRAGMA writable_schema = RESET`);
  const manager = new SecretManager(environment);
  await manager.get();
  await manager.flushNotes();
  await assert.rejects(manager.get(), (error) => isRekeyError(error, "database_damaged"));
  manager.close();
  const states = sqlite.prepare("SELECT state FROM rekey_versions NOT INDEXED").all();
  assert.deepEqual(states.map(({ state }) => state), ["current"]);
  sqlite.close();
});

Deno.test("indexes that list an ended session as open are damage", async () => {
  using environment = testEnvironment();
  await made(environment);
  const sqlite = withoutDefence(environment);
  sqlite.exec(`INSERT INTO rekey_sessions VALUES ('j', 1, 'alice', 0, ${2 ** 50}, NULL)`);
  assert.ok(isSound(sqlite));
  sqlite.exec(`${redefined("revoked_at IS NULL", "revoked_at = 0")}; PRAGMA writable_schema = RESET;
    UPDATE rekey_sessions SET revoked_at = 1;
    ${redefined("revoked_at = 0", "revoked_at IS NULL")}; PRAGMA writable_schema = RESET`);
  assert.ok(!isSound(sqlite));
  sqlite.close();
});

Deno.test("a statement that fails on a sound file is a bug, and looks like one", async () => {
  using environment = testEnvironment();
  await made(environment);
  const manager = new SecretManager(environment);
  const { installation: { database } } = await manager.open();
  const mistake = database.prepare("INSERT INTO rekey_meta (key) VALUES ('x')");
  assert.throws(() => mistake.run(), (error) => !isRekeyError(error));
  manager.close();
});

Deno.test({
  name: "a database that cannot be used is closed again",
  ignore: Deno.build.os !== "linux",
  fn: closesAgain,
});

async function closesAgain(): Promise<void> {
  using environment = testEnvironment();
  await made(environment);
  const path = join(environment.folders.data, "agiworkforce.db");
  sql(path, "DROP TABLE rekey_sessions; DROP TABLE rekey_versions");
  const manager = new SecretManager(environment);
  for (let i = 0; i < 3; i++) {
    await assert.rejects(manager.get(), (error) => isRekeyError(error, "database_damaged"));
  }
  manager.close();
  const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => target(name));
  assert.ok(!open.some((file) => file.startsWith(path)), "a handle is left open");
}

function target(descriptor: string): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return "";
  }
}

// A module of SQLite's reads whatever is in the file: faults of FTS5 are known in the runtimes that rekey is built with.
Deno.test("a virtual table that someone has put into the database is not looked through", async () => {
  using environment = testEnvironment();
  await made(environment);
  const sqlite = withoutDefence(environment);
  sqlite.exec(`CREATE VIRTUAL TABLE other USING fts5(text); INSERT INTO other VALUES ('word');
               UPDATE other_content SET c0 = 'another'`);
  const verdict = () => sqlite.prepare("PRAGMA integrity_check").get()?.integrity_check;
  assert.match(String(verdict()), /fts5/i, "SQLite's own check looks through it");
  assert.ok(!isPlain(sqlite) && isSound(sqlite));
  sqlite.exec(redefined("seq INTEGER", "sEq INTEGER"));
  assert.ok(!isSound(sqlite), "the rest is looked at all the same");
  sqlite.close();
});

Deno.test("only tables and indexes are plain, whatever the file calls them", () => {
  const sqlite = connect(":memory:", { defensive: false } as object);
  sqlite.exec("CREATE TABLE a (x UNIQUE); create  unique index i on a (x)");
  assert.ok(isPlain(sqlite));
  for (const sql of ["create /**/ view v AS SELECT 1", "CREATE VIRTUAL TABLE v USING fts5(x)"]) {
    sqlite.exec(`SAVEPOINT s; ${sql}`);
    assert.ok(!isPlain(sqlite), sql);
    sqlite.exec(
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'index', rootpage = 2",
    );
    assert.ok(!isPlain(sqlite), sql);
    sqlite.exec("ROLLBACK TO s; RELEASE s");
  }
  sqlite.close();
});

// A restoration refuses a copy whose tables are others than the migrations make.
Deno.test("a copy before a rotation is made with the tables that the migrations make", () => {
  using sqlite = connect(":memory:");
  sqlite.exec(MIGRATIONS.join("\n"));
  const made = sqlite.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").all();
  assert.equal(NEW_SCHEMA, `${made.map(({ sql }) => sql).join(";\n")};`);
});
