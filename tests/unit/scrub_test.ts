import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Database } from "../../src/store/sqlite/database.ts";
import { wipeFreePages } from "../../src/store/sqlite/scrub.ts";

Deno.test("what another program has left in free pages is gone after a wipe, each time", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  const database = Database.open(path);
  const isLeft = () =>
    ["", "-wal"].some((end) =>
      new TextDecoder("latin1").decode(Deno.readFileSync(path + end)).includes("left by another")
    );
  for (let time = 0; time < 2; time++) {
    const other = new DatabaseSync(path);
    other.exec("PRAGMA secure_delete = OFF; CREATE TABLE other (text)");
    other.prepare("INSERT INTO other VALUES (?)").run("left by another, ".repeat(1_000));
    other.exec("DROP TABLE other");
    other.close();
    assert.ok(database.truncateLog());
    assert.ok(isLeft());
    wipeFreePages(database);
    assert.ok(database.truncateLog());
    assert.ok(!isLeft());
  }
  database.close();
  Deno.removeSync(folder, { recursive: true });
});
