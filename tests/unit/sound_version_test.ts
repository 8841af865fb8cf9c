import assert from "node:assert/strict";
import { join } from "node:path";
import { isRekeyError } from "../../src/core/errors.ts";
import { readPublicSet } from "../../src/secret/public_set.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { putDatabase } from "../support/faults/specimen.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";
import { queryRow, sql } from "../support/store/sql.ts";

/** An app whose versions 2 and 1 are in the public set, 1 in its grace window. */
async function made(environment: TestEnvironment) {
  const manager = new SecretManager(environment);
  await manager.getOrCreate({ store: "database", alg: "ES256" });
  await manager.rotate({ graceMs: 86_400_000 });
  await manager.flushNotes();
  manager.close();
  const path = join(environment.folders.data, "agiworkforce.db");
  return { path, bytes: Deno.readFileSync(path), kids: await published(environment) };
}

/** The kids of the public set, or the code of a refusal. */
async function published(environment: TestEnvironment): Promise<string> {
  const manager = new SecretManager(environment);
  try {
    const { keys } = await readPublicSet(manager);
    return keys.map(({ kid }) => kid).join();
  } catch (error) {
    if (!isRekeyError(error) || error.code === "internal") throw error;
    return error.code;
  } finally {
    manager.close();
  }
}

/** What no rekey writes, by column. */
const DAMAGE: Record<string, string[]> = {
  kid: ["''", "'a b'", "substr(kid, 2)"],
  location: ["'databasE'"],
  origin: ["'generateD'"],
  alg: ["'XS256'", "'HS256'", "'es256'"],
  key_form: ["'text'", "'pkcs9'"],
  bytes: ["0", "-1"],
  encoding: ["'base65'"],
  grace_until: ["NULL"],
  synced: ["2"],
};

for (const [column, values] of Object.entries(DAMAGE)) {
  Deno.test(`a version with a damaged ${column} is refused, and leaves no set quietly`, async () => {
    using environment = testEnvironment();
    const { path, bytes } = await made(environment);
    for (const value of values) {
      for (const version of column === "grace_until" ? [1] : [1, 2]) {
        putDatabase(path, bytes);
        sql(
          path,
          `PRAGMA ignore_check_constraints = ON;
           UPDATE rekey_versions SET ${column} = ${value} WHERE version = ${version}`,
        );
        assert.equal(await published(environment), "database_damaged", `${value} of ${version}`);
      }
    }
  });
}

/** The bytes of a table's or index's first page. */
function page(path: string, name: string): [from: number, to: number] {
  const { rootpage } = queryRow(path, `SELECT rootpage FROM sqlite_schema WHERE name = '${name}'`)!;
  const { page_size: size } = queryRow(path, "PRAGMA page_size")!;
  return [(rootpage - 1) * size, rootpage * size];
}

function graceEnd(path: string): unknown {
  return queryRow(path, "SELECT grace_until FROM rekey_versions WHERE version = 1")?.grace_until;
}

Deno.test("a flipped bit in the rows of versions: the same set, or a refusal", async () => {
  using environment = testEnvironment();
  const { path, bytes, kids } = await made(environment);
  const [from, to] = page(path, "rekey_versions");
  const used = [...bytes.keys()].slice(from, to).filter((at) => bytes[at] !== 0);
  assert.ok(used.length > 200);
  const end = graceEnd(path);
  const found: Record<string, number> = {};
  for (const at of used) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (at & 7);
    putDatabase(path, damaged);
    const now = await published(environment);
    // Nothing says that another time is not the right end of a grace window.
    if (now !== kids && !now.endsWith("_damaged") && graceEnd(path) !== end) continue;
    assert.ok(
      now === kids || now.endsWith("_damaged"),
      `bit ${at & 7} of byte ${at - from}: ${now}`,
    );
    found[now] = (found[now] ?? 0) + 1;
  }
  assert.ok(found.database_damaged! > 50 && found.secret_damaged! > 50, JSON.stringify(found));
});

Deno.test("a damaged row of a retired version stops no verification, and no rotation without a copy", async () => {
  using environment = testEnvironment();
  const { path } = await made(environment);
  const manager = new SecretManager(environment);
  await manager.rotate({});
  await manager.flushNotes();
  sql(
    path,
    `PRAGMA ignore_check_constraints = ON;
     UPDATE rekey_versions SET alg = 'XS256' WHERE version = 1`,
  );
  assert.notEqual(await published(environment), "database_damaged");
  await assert.rejects(manager.rotate({}), (error) => {
    return isRekeyError(error, "database_damaged") && error.hint!.includes("--no-backup");
  });
  await manager.rotate({ backup: false });
  manager.close();
});
