import assert from "node:assert/strict";
import { join } from "node:path";
import { Database } from "../../src/store/sqlite/database.ts";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { OLDER, older } from "../support/store/older.ts";
import { query } from "../support/store/sql.ts";

function withFolder(name: string, test: (path: string) => void): void {
  Deno.test(name, () => {
    const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
    try {
      test(join(folder, "a.db"));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

const copiesBeside = (path: string) =>
  [...Deno.readDirSync(join(path, ".."))].map(({ name }) => name)
    .filter((name) => name.includes(".schema")).sort();

withFolder("a migration leaves a private copy of what was there, in the older schema", (path) => {
  older(path);
  // Of a killed command.
  Deno.writeTextFileSync(join(path, "../.a.db.schema9.backup.x"), "sealed");
  Deno.writeTextFileSync(`${path}.schema9.backup`, "sealed");
  Database.open(path).close();
  assert.deepEqual(copiesBeside(path), [`a.db.schema${OLDER}.backup`]);
  const copy = `${path}.schema${OLDER}.backup`;
  if (Deno.build.os !== "windows") assert.equal(Deno.statSync(copy).mode! & 0o777, 0o600);
  const [{ user_version }] = query(copy, "PRAGMA user_version") as [{ user_version: number }];
  assert.equal(user_version, OLDER);
  const tables = ["settings", "rekey_versions", "rekey_sessions", "rekey_users", "rekey_audit"];
  for (const table of tables) {
    assert.equal(query(copy, `SELECT * FROM ${table}`).length, 1, table);
  }
  assert.deepEqual(query(copy, "SELECT * FROM rekey_delivery_states"), []);
  assert.deepEqual(query(copy, "PRAGMA integrity_check").map((row) => row.integrity_check), ["ok"]);
  const kind = query(copy, "SELECT value FROM rekey_backup WHERE key = 'kind'");
  assert.deepEqual(kind.map(({ value }) => value), ["manual"]);
  const [after] = query(path, "PRAGMA user_version");
  assert.equal(after!.user_version, MIGRATIONS.length);
});

withFolder("a new database, one without a secret and one of this schema get no copy", (path) => {
  Database.open(path).close();
  Database.open(path).close();
  assert.deepEqual(copiesBeside(path), []);
});

withFolder("without a copy nothing is migrated", (path) => {
  older(path);
  // A folder in the way of the copy.
  Deno.mkdirSync(`${path}.schema${OLDER}.backup/full`, { recursive: true });
  assert.throws(() => Database.open(path), /Cannot keep a copy before the database is migrated/);
  const [there] = query(path, "PRAGMA user_version");
  assert.equal(there!.user_version, OLDER);
  Deno.removeSync(`${path}.schema${OLDER}.backup`, { recursive: true });
  Database.open(path).close();
  assert.deepEqual(copiesBeside(path), [`a.db.schema${OLDER}.backup`]);
});
