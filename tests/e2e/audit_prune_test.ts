import assert from "node:assert/strict";
import { Box, type Ended, REKEY } from "../support/process/box.ts";
import { copyOf } from "../support/process/copied.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { Serving } from "../support/http/serving.ts";
import { queryRow, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";
import { fillLog } from "../support/store/filled_log.ts";

const original = await makeOriginal();
globalThis.addEventListener("unload", () => original[Symbol.dispose]());

/** A box whose log has three rotations and a few retrievals. */
const withLog = () => copyOf(original);

async function makeOriginal(): Promise<Box> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  for (let i = 0; i < 3; i++) {
    await box.run(["rotate", "--force", "--no-backup"]);
    await box.token();
  }
  return box;
}

const prune = (box: Box, ...args: string[]): Promise<Ended> =>
  box.run(["audit", "prune", "--force", ...args]);

async function rowsOf(box: Box): Promise<Record<string, unknown>[]> {
  const { stdout } = await box.run(["audit", "list", "--limit", "1000", "--json"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("audit prune removes what is asked, says so, and everything that reads the log goes on", async () => {
  using box = withLog();
  const { rotations } = await box.json("stats");
  const last = (await box.json("status")).last_rotation;
  const dry = await box.json("audit", "prune", "--retrievals-older-than", "0s", "--dry-run");
  assert.ok(dry.rows >= 3);
  const asked = await box.run(["audit", "prune", "--retrievals-older-than", "0s"]);
  assert.match(asked.stderr, /Cannot ask for confirmation/);
  const { code, stdout } = await prune(box, "--retrievals-older-than", "0s");
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^Removed ${dry.rows} rows of the audit log`));
  const rows = await rowsOf(box);
  assert.equal(rows.filter(({ event }) => String(event).includes("rotation completed")).length, 3);
  await prune(box, "--older-than", "0s");
  assert.ok((await rowsOf(box)).length <= 5);
  assert.deepEqual(
    [(await box.json("stats")).rotations, (await box.json("status")).last_rotation],
    [
      rotations,
      last,
    ],
  );
  assert.doesNotMatch((await box.run(["audit", "list", "--limit", "1"])).stderr, /--before 1$/);
  const { valid, pruned, head } = await box.json("audit", "verify");
  assert.ok(valid && pruned > dry.rows);
  assert.equal((await box.run(["doctor"])).code, 0);
  await box.run(["rotate", "--force"]);
  assert.equal((await box.run(["audit", "verify", "--expect-head", head])).code, 0);
});

Deno.test("a log that is broken anywhere is not pruned by hand", async () => {
  using box = withLog();
  // A checkpoint vouches for the first row, and no retrieval is beside it.
  sql(box, "UPDATE rekey_audit SET reason = 'x' WHERE seq = 1");
  for (const more of [[], ["--dry-run"]]) {
    const { code, stdout, stderr } = await prune(box, "--retrievals-older-than", "0s", ...more);
    assert.deepEqual([code, stdout], [5, ""]);
    assert.match(stderr, /^error: The audit log is broken at row 1: /);
  }
  assert.equal(queryRow(box, "SELECT count(*) AS n FROM rekey_audit_gaps")!.n, 0);
});

Deno.test("a head of a pruned row cannot be compared, which is not the same as broken", async () => {
  using box = withLog();
  const { head } = await box.json("audit", "verify");
  await box.run(["rotate", "--force"]);
  await prune(box, "--older-than", "0s");
  const { code, stderr } = await box.run(["audit", "verify", "--expect-head", head]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot compare row \d+: it was pruned; nothing else is wrong/);
});

Deno.test("audit prune without an age does what the policy says, and refuses without one", async () => {
  using box = withLog();
  const { code, stderr } = await prune(box);
  assert.equal(code, 2);
  assert.match(stderr, /no age was given\nhint: .*--audit-retention 400d/);
  const set = await box.json("policy", "set", "--audit-retention", "400d");
  assert.equal(set.audit_retention_seconds, 400 * 86_400);
  await box.json("policy", "set", "--retrievals-retention", "30d", "--leeway", "5s");
  const shown = await box.json("policy", "show");
  assert.deepEqual(
    [shown.audit_retention_seconds, shown.retrievals_retention_seconds, shown.leeway_seconds],
    [400 * 86_400, 30 * 86_400, 5],
  );
  assert.match((await prune(box)).stdout, /^Nothing to remove/);
  assert.match((await box.run(["policy", "show"])).stdout, /^retrievals-retention +30 days$/m);
  await box.run(["policy", "set", "--audit-retention", "off"]);
  await box.run(["policy", "clear", "retrievals-retention"]);
  assert.equal((await prune(box)).code, 2);
  assert.equal((await box.json("policy", "show")).leeway_seconds, 5, "other parts stay");
  const changes = (await rowsOf(box)).filter(({ event }) => event === "Audit retention changed");
  assert.equal(changes.length, 4);
  assert.equal((await box.run(["policy", "set", "--audit-retention", "1h"])).code, 2);
});

Deno.test("backups and restorations carry the gaps, and a restored log goes on", async () => {
  using box = withLog();
  await prune(box, "--retrievals-older-than", "0s");
  await box.run(["backup", "backup.db"]);
  await box.token();
  await prune(box, "--older-than", "0s");
  const { pruned } = await box.json("audit", "verify");
  assert.equal((await box.run(["restore", "backup.db", "--force"])).code, 0);
  assert.equal((await box.json("audit", "verify")).pruned, pruned, "the newer log stays");
  const copy = ["--data-dir", `${box.home}/copy`, "--store", "database"];
  assert.equal((await box.run(["restore", "backup.db", ...copy])).code, 0);
  const restored = await box.json("audit", "verify", ...copy);
  assert.ok(restored.valid && restored.pruned > 0);
  assert.equal((await box.run(["audit", "checkpoint", ...copy])).code, 0);
});

Deno.test("a restoration from an automatic copy leaves how long the log is kept", async () => {
  using box = withLog();
  await box.run(["policy", "set", "--audit-retention", "400d"]);
  await box.run(["rotate", "--force"]);
  const copy = `${box.database}.v4.backup`;
  const { code, stderr } = await box.run(["restore", copy, "--force", "--new-secret"]);
  assert.equal(code, 0, stderr);
  assert.equal((await box.json("policy", "show")).audit_retention_seconds, 400 * 86_400);
  assert.doesNotMatch((await box.run(["rotate", "--force"])).stderr, /not pruned/);
});

const PAST = ["-f", "-40d"];
// The log must know for a day that it is so late.
const YESTERDAY = ["-f", "-1d"];

/** Rows of forty days ago, of which those that the flag names are kept for thirty days. */
async function withOldRows(box: Box, flag: string): Promise<void> {
  const before = (...args: string[]) => box.exec("/usr/bin/faketime", [...PAST, REKEY, ...args]);
  await before("init", "--store", "database");
  await before("issue", "--sub", "a");
  await before("policy", "set", flag, "30d");
  await box.exec("/usr/bin/faketime", [...YESTERDAY, REKEY, "policy", "set", "--leeway", "5s"]);
}

Deno.test({
  name: "rotate removes old rows as the policy says, also when no rotation is due",
  ignore: unless(installed("faketime"), "faketime"),
  async fn() {
    using box = new Box();
    await withOldRows(box, "--retrievals-retention");
    const retrievals = () =>
      queryRow(box, "SELECT count(*) AS n FROM rekey_audit WHERE event LIKE '%retrieved%'")!.n;
    assert.ok(retrievals() > 0);
    const rotated = await box.run(["rotate", "--force", "--if-older-than", "90d"]);
    assert.equal(rotated.code, 0);
    assert.match(rotated.stderr, /^Removed \d+ old rows? of the audit log$/m);
    assert.equal((await box.json("audit", "verify")).valid, true);
  },
});

Deno.test({
  name: "serve removes old rows when it starts",
  ignore: unless(installed("faketime"), "faketime"),
  async fn() {
    using box = new Box();
    await withOldRows(box, "--audit-retention");
    await using _ = await Serving.start(box, []);
    const gaps = () => queryRow(box, "SELECT count(*) AS n FROM rekey_audit_gaps")!.n;
    await until(() => gaps() > 0);
    assert.equal((await box.json("audit", "verify")).valid, true);
  },
});

Deno.test({
  name: "serve says once why it cannot remove old rows",
  ignore: unless(installed("faketime"), "faketime"),
  async fn() {
    using box = new Box();
    await withOldRows(box, "--retrievals-retention");
    sql(box, "UPDATE rekey_audit SET reason = 'x' WHERE event LIKE '%retrieved%'");
    await using server = await Serving.start(box, []);
    await server.until(() => /^warning: the audit log is not pruned: /m.test(server.stderr));
    assert.match(server.stderr, /not pruned: The audit log is broken at row \d+: /);
    assert.equal(await server.status(server.get("/healthz")), 200);
  },
});

Deno.test("killed anywhere, a pruning leaves a log that verifies, and the next one goes on", async () => {
  using box = withLog();
  await fillLog(box, 4_000);
  const steps = () =>
    queryRow(box, "SELECT count(*) AS n FROM rekey_audit WHERE event = 'Audit log pruned'")!.n;
  for (const step of [1, 3, 5]) {
    const args = ["audit", "prune", "--force", "--older-than", "0s"];
    const child = new Deno.Command(REKEY, {
      args,
      ...box.surroundings(),
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(() => steps() >= step);
    child.kill("SIGKILL");
    await child.status;
    assert.equal((await box.json("audit", "verify")).valid, true, `step ${step}`);
  }
  assert.equal((await prune(box, "--older-than", "0s")).code, 0);
  const { valid, rows } = await box.json("audit", "verify");
  assert.ok(valid && rows < 20);
});
