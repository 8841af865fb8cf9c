import assert from "node:assert/strict";
import { leftovers, prepared } from "../support/store/backing_up.ts";
import { REKEY } from "../support/process/box.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { queryRow, sql } from "../support/store/sql.ts";

Deno.test("restore refuses to overwrite, says what would verify again, and with --force forgets no version", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  const newer = await box.token();
  const refused = await box.run(["restore", backup]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /version 2; version 1, which was rotated away, would verify again/);
  assert.equal((await box.json("verify", newer)).version, 2);

  // Also when it is restored again.
  for (const replaced of [2, 1]) {
    const { stdout, stderr } = await box.run(["restore", backup, "--force", "--json"]);
    const { version, replaced_version, revived_version } = JSON.parse(stdout);
    assert.deepEqual([version, replaced_version, revived_version], [1, replaced, 1]);
    assert.match(
      JSON.parse(stderr).warning,
      /^version 1, which was rotated away \(security-incident\), verifies again: .*`rekey rotate --force` now$/,
    );
  }
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("verify", newer)).code, "retired_kid");
  assert.equal((await box.json("rotate", "--force")).version, 3, "no number is used twice");
  await box.run(["backup", "newer.db"]);
  const same = await box.run(["restore", "newer.db", "--force"]);
  assert.deepEqual([same.code, same.stderr], [0, ""], "nothing verifies again");
  const rows = (await box.run(["audit", "export"])).stdout;
  assert.match(rows, /security-incident/, "the log of what was replaced goes on");
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("an application's own tables stay when rekey's are restored", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  sql(box, "CREATE TABLE notes (text); INSERT INTO notes VALUES ('old')");
  await box.run(["backup", backup]);
  sql(
    box,
    "UPDATE notes SET text = 'new'; INSERT INTO settings VALUES ('theme', 'dark', 0)",
  );
  await box.run(["rotate", "--force"]);
  await box.run(["restore", backup, "--force"]);
  assert.equal(queryRow(box, "SELECT text FROM notes")?.text, "new");
  assert.equal(queryRow(box, "SELECT value FROM settings WHERE key = 'theme'")?.value, "dark");
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a restoration of many rows, on the binary", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const many = THOROUGH ? 300_000 : 101_000;
  sql(
    box,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
       INSERT INTO rekey_sessions SELECT 'jti-' || i, 1, 'user', 0, 9e15, NULL FROM n`,
  );
  await box.run(["backup", backup]);
  await box.run(["rotate", "--force"]);
  const { code, stderr } = await box.run(["restore", backup, "--force"]);
  assert.equal(code, 0, stderr);
  const { count } = queryRow(box, "SELECT count(*) AS count FROM rekey_sessions")!;
  assert.equal(count, many + 1);
  const status = await box.json("status");
  assert.deepEqual([status.sessions_active, status.sessions_more], [100_000, true], "no more");
  const listed = await box.run(["session", "list"]);
  assert.equal(listed.stdout.trim().split("\n").length, 51, "and the heading");
  assert.match(listed.stderr, /there are more, which are older: --limit/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a session that was ended after the backup stays ended", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const { token, jti } = await box.json("issue", "--sub", "late");
  sql(box, `UPDATE rekey_sessions SET revoked_at = 1 WHERE jti = '${jti}'`);
  assert.equal((await box.json("verify", token)).code, "revoked");
  await box.run(["restore", backup, "--force"]);
  assert.equal((await box.json("verify", token)).code, "revoked");
});

Deno.test("what a killed restoration leaves is gone after the next rotation", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const inject = "inject=fsync,fdatasync:signal=SIGKILL:when=4";
  const flags = ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", inject, "-o", "/dev/null"];
  const killed = await box.exec("strace", [...flags, REKEY, "restore", backup, "--force"]);
  assert.equal(killed.code, 137);
  assert.notDeepEqual(leftovers(box), [], "the kill must leave something");
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  assert.deepEqual(leftovers(box), []);
});
