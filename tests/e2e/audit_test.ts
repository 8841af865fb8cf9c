import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { copyOf } from "../support/process/copied.ts";
import { Serving } from "../support/http/serving.ts";
import { query, queryRow, sql } from "../support/store/sql.ts";

const original = await makeOriginal();
globalThis.addEventListener("unload", () => original[Symbol.dispose]());

/** A box with a log of some twenty rows. */
const withLog = () => copyOf(original);

async function makeOriginal(): Promise<Box> {
  const box = new Box();
  await box.run(["init"]);
  for (let i = 0; i < 3; i++) await box.run(["rotate", "--force", "--reason", `r${i}`]);
  await box.token();
  return box;
}

Deno.test("an unchanged log verifies, and its head is found again later", async () => {
  using box = withLog();
  const { valid, rows, head } = await box.json("audit", "verify");
  assert.ok(valid && rows >= 8);
  await box.run(["rotate", "--force"]);
  assert.equal((await box.run(["audit", "verify", "--expect-head", head])).code, 0);
});

const TAMPERING: [what: string, sql: string, row: number][] = [
  ["a changed reason", "UPDATE rekey_audit SET reason = 'x' WHERE seq = 3", 3],
  ["a changed actor", "UPDATE rekey_audit SET actor = 'x' WHERE seq = 5", 5],
  ["a changed time", "UPDATE rekey_audit SET time = '2020-01-01T00:00:00.000Z' WHERE seq = 1", 1],
  ["a changed hash", "UPDATE rekey_audit SET hash = 'x' WHERE seq = 4", 4],
  ["a row taken out", "DELETE FROM rekey_audit WHERE seq = 4", 4],
  [
    "a row before the first",
    "INSERT INTO rekey_audit SELECT -3, time, event, version, kid, location, duration, actor, reason, hash FROM rekey_audit WHERE seq = 2",
    1,
  ],
  ["the first row taken out", "DELETE FROM rekey_audit WHERE seq = 1", 1],
  [
    "a row put in",
    "INSERT INTO rekey_audit SELECT 100, time, event, version, kid, location, duration, actor, reason, hash FROM rekey_audit WHERE seq = 2",
    0,
  ],
  [
    "two rows exchanged",
    "UPDATE rekey_audit SET seq = -1 WHERE seq = 2; UPDATE rekey_audit SET seq = 2 WHERE seq = 3; UPDATE rekey_audit SET seq = 3 WHERE seq = -1",
    2,
  ],
];
for (const [what, statement, row] of TAMPERING) {
  Deno.test(`${what} is found, and the first bad row named`, async () => {
    using box = withLog();
    const rows = query(box, "SELECT * FROM rekey_audit").length;
    sql(box, statement);
    const { code, stderr } = await box.run(["audit", "verify", "--json"]);
    assert.equal(code, 5);
    const { error } = JSON.parse(stderr);
    assert.equal(error.code, "check_failed");
    assert.match(error.message, new RegExp(`row ${row === 0 ? rows + 1 : row}:`));
  });
}

Deno.test("a tail that was cut off is found with a head that was kept", async () => {
  using box = withLog();
  const { head, rows } = await box.json("audit", "verify");
  sql(box, `DELETE FROM rekey_audit WHERE seq > ${rows - 2}`);
  assert.equal((await box.run(["audit", "verify"])).code, 0, "nothing else can tell");
  const { code, stderr } = await box.run(["audit", "verify", "--expect-head", head]);
  assert.equal(code, 5);
  assert.match(stderr, /cut off/);
});

Deno.test("export prints every row as a JSON line", async () => {
  using box = withLog();
  const { stdout } = await box.run(["audit", "export"]);
  const rows = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ seq }) => seq), rows.map((_, index) => index + 1));
  assert.equal(rows.length, (await box.json("audit", "verify")).rows);
});

Deno.test("audit list filters by event, version, actor and time, and pages backwards", async () => {
  using box = new Box();
  await box.run(["init"]);
  for (let i = 0; i < 3; i++) await box.run(["rotate", "--force"]);
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await box.run(["audit", "list", "--json", ...args]);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };
  const all = await list("--limit", "1000");
  assert.ok(all.length >= 7);
  const seqs = (rows: { seq: number }[]) => rows.map(({ seq }) => seq);
  const rotations = await list("--event", "ROTATION completed");
  assert.deepEqual(rotations.map(({ version }) => version), [2, 3, 4]);
  assert.deepEqual(
    seqs(await list("--of", "3")),
    seqs(all.filter(({ version }) => version === 3)),
  );
  assert.deepEqual(await list("--actor", "unknown@nowhere"), []);
  assert.deepEqual(seqs(await list("--actor", all[0].actor, "--limit", "1000")), seqs(all));
  const middle = all[4].time;
  assert.deepEqual(seqs(await list("--since", middle)), seqs(all.filter((r) => r.time >= middle)));
  assert.deepEqual(seqs(await list("--until", middle)), seqs(all.filter((r) => r.time < middle)));
  assert.deepEqual(seqs(await list("--since", "1h")), seqs(all));
  assert.deepEqual(await list("--until", "1h"), []);

  const pages: number[] = [];
  for (let before: string[] = [];;) {
    const page = await box.run(["audit", "list", "--limit", "3", ...before]);
    const numbers = page.stdout.trim().split("\n").slice(1).map((line) => Number.parseInt(line));
    pages.unshift(...numbers);
    const [, next] = /Older rows: --before (\d+)/.exec(page.stderr) ?? [];
    if (next === undefined) break;
    before = ["--before", next];
  }
  assert.deepEqual(pages, seqs(all));
});

Deno.test("audit list refuses filters that mean nothing", async () => {
  using box = new Box();
  await box.run(["init"]);
  for (
    const args of [["--since", "yesterday"], ["--until", "2026-13-45"], ["--of", "0"], [
      "--before",
      "-1",
    ], ["--event", ""]]
  ) {
    const { code, stderr } = await box.run(["audit", "list", ...args]);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /^error: Cannot use (the|an empty) value (of|for)/);
  }
});

Deno.test("a rotation that cannot sign the log, since it is broken, says so, and so does a server", async () => {
  using box = withLog();
  const signed = () => queryRow(box, "SELECT count(*) AS notes FROM rekey_checkpoints")?.notes;
  const newest = "(SELECT max(seq) FROM rekey_audit)";
  const [before, { seq }] = [signed(), queryRow(box, `SELECT ${newest} AS seq`)!];
  sql(box, `UPDATE rekey_audit SET actor = 'x' WHERE seq = ${newest}`);
  const warning = new RegExp(
    `^warning: The audit log is broken at row ${seq}: .* not signed .*\`rekey audit verify\`$`,
    "m",
  );
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stderr, warning);
  await using server = await Serving.start(box, ["--workers", "1"]);
  const token = await box.token("alice", "--scope", "admin");
  assert.equal(await server.status(server.post("/rotate", {}, token)), 200);
  await server.until(() => warning.test(server.stderr));
  assert.equal(signed(), before);
});
