import assert from "node:assert/strict";
import { join } from "node:path";
import { Database } from "../../src/store/sqlite/database.ts";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { Versions } from "../../src/store/sqlite/versions.ts";
import { connect } from "../support/store/sql.ts";

Deno.test("versions of an older database keep the app's algorithm and key form, and get the usual shape", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  const before = MIGRATIONS.findIndex((text) => text.includes("ADD COLUMN alg"));
  const older = connect(path);
  for (const migration of MIGRATIONS.slice(0, before)) older.exec(migration);
  older.exec(`
    INSERT INTO rekey_meta VALUES ('app', 'a'), ('alg', 'HS256'), ('key_form', 'raw');
    INSERT INTO rekey_versions (version, kid, state, origin, created_at, synced)
      VALUES (1, 'oneoneoneoneone1', 'retired', 'adopted', 1, 1), (2, 'twotwotwotwotwo2', 'current', 'generated', 2, 1);
    PRAGMA user_version = ${before};`);
  older.close();
  const database = Database.open(path);
  try {
    const uses = new Versions(database).every()
      .map(({ alg, key_form, bytes, encoding }) => [alg, key_form, bytes, encoding]);
    assert.deepEqual(uses, Array(2).fill(["HS256", "raw", 64, "base64"]));
  } finally {
    database.close();
    Deno.removeSync(folder, { recursive: true });
  }
});
