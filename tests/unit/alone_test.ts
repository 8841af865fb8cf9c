import assert from "node:assert/strict";
import { isRekeyError } from "../../src/core/errors.ts";
import { mustBeAlone } from "../../src/store/sqlite/lock.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { Box } from "../support/process/box.ts";

Deno.test("a database that another program has open is not to be deleted, and goes on to be used", () => {
  using box = new Box();
  const path = `${box.home}/acme.db`;
  const [own, other] = [Database.open(path), Database.open(path)];
  assert.throws(() => mustBeAlone(own), (error) => {
    assert.ok(isRekeyError(error, "database_unusable"), String(error));
    assert.match(error.message, /acme\.db: another program has it open$/);
    return true;
  });
  other.transaction(() => other.prepare("SELECT 1").get());
  other.close();
  mustBeAlone(own);
  own.close();
  const again = Database.open(path);
  assert.equal(again.prepare("PRAGMA journal_mode").get()!["journal_mode"], "wal");
  again.close();
});
