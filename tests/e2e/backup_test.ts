import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  leftovers,
  prepared,
  removeDatabase,
  WITH_PASSPHRASE,
} from "../support/store/backing_up.ts";
import { spellings } from "../support/leaks/leaks.ts";
import { openSealed } from "../support/store/sealed.ts";
import { query } from "../support/store/sql.ts";

Deno.test("a backup is one private file that restores a lost database on its machine", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const { code, stderr } = await box.run(["backup", backup]);
  assert.equal(code, 0, stderr);
  assert.equal(Deno.statSync(backup).mode! & 0o777, 0o600);
  assert.deepEqual([...box.files().keys()].filter((path) => path.includes("backup.db")), [backup]);
  removeDatabase(box);
  assert.equal((await box.run(["status"])).code, 4);
  const restored = await box.json("restore", backup);
  assert.deepEqual([restored.version, restored.secret_from], [1, "database"]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
  const rows = (await box.run(["audit", "export"])).stdout;
  assert.match(rows, /JWT secret restored/);
});

Deno.test("a backup overwrites nothing, and one that fails leaves nothing", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  Deno.writeTextFileSync(backup, "mine");
  const { code, stderr } = await box.run(["backup", backup]);
  assert.equal(code, 1);
  assert.match(stderr, /already exists/);
  assert.equal(Deno.readTextFileSync(backup), "mine");
  for (const path of ["/nowhere/at/all", "/proc/backup", ""]) {
    const failed = await box.run(["backup", path]);
    assert.ok([2, 4].includes(failed.code), `${path}: ${failed.code}`);
    assert.doesNotMatch(failed.stderr, /Internal/);
  }
  for (
    const args of [
      [...WITH_PASSPHRASE],
      ["--with-secret", "--recipient", "age1nonsense"],
      ["--with-secret"],
      ["--with-secret", "--recipients-file", "nowhere"],
      ["--with-secret", "--recipient", "age1x", ...WITH_PASSPHRASE],
    ]
  ) {
    assert.equal((await box.run(["backup", "new.db", ...args])).code, 2, args.join(" "));
  }
  assert.deepEqual(leftovers(box), []);
});

Deno.test("the last five automatic copies are kept, without values, and bring the versions back", async () => {
  const { box } = await prepared();
  using _ = box;
  const values: string[] = [];
  for (let i = 0; i < 7; i++) {
    values.push((await openSealed(box)).value);
    await box.run(["rotate", "--force"]);
  }
  const copies = [...box.files().keys()].filter((path) => /\.v\d+\.backup$/.test(path)).sort();
  assert.deepEqual(copies, [3, 4, 5, 6, 7].map((version) => `${box.database}.v${version}.backup`));
  for (const path of copies) {
    assert.deepEqual(query(path, "SELECT * FROM settings"), []);
    const keys = query(path, "SELECT key FROM rekey_meta ORDER BY key");
    assert.deepEqual(keys.map(({ key }) => key), ["alg", "app", "id", "key_form", "store"]);
    const content = Buffer.from(Deno.readFileSync(path));
    for (const value of values) {
      for (const spelling of spellings(value)) assert.ok(!content.includes(spelling), path);
    }
  }

  const retired = await box.token();
  removeDatabase(box);
  const lost = await box.run(["restore", copies[4]!]);
  assert.equal(lost.code, 4);
  assert.match(lost.stderr, /--new-secret/);
  const { version, secret_from } = await box.json("restore", copies[4]!, "--new-secret");
  assert.deepEqual([version, secret_from], [8, "new"]);
  assert.equal((await box.json("verify", await box.token())).valid, true);
  assert.equal((await box.json("verify", retired)).valid, false);
  assert.equal((await box.json("audit", "verify")).valid, true);
  await box.run(["rotate", "--force", "--no-backup"]);
  assert.ok(![...box.files().keys()].includes(`${box.database}.v8.backup`));
  await box.run(["destroy", "--force"]);
  assert.deepEqual([...box.files().keys()].filter((path) => path.includes(".backup")), []);
});
