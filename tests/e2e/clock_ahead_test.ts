import assert from "node:assert/strict";
import { Box, type Ended, REKEY } from "../support/process/box.ts";
import { examined } from "../support/commands/doctor.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { Serving } from "../support/http/serving.ts";

/** Runs rekey as if it were two years later. */
function ahead(box: Box, ...args: string[]): Promise<Ended> {
  return box.exec("/usr/bin/faketime", ["-f", "+730d", REKEY, ...args]);
}

function test(name: string, work: (box: Box) => Promise<void>): void {
  Deno.test({
    name,
    ignore: unless(installed("faketime"), "faketime"),
    async fn() {
      using box = new Box();
      const { stdout } = await box.exec("/usr/bin/faketime", ["-f", "+730d", "date", "+%s"]);
      assert.ok(Number(stdout) * 1000 - Date.now() > 700 * 86_400_000, "the clock must be ahead");
      assert.equal((await ahead(box, "init", "--store", "database")).code, 0);
      await work(box);
    },
  });
}

test("made by a clock that was ahead: status says so, and a check fails", async (box) => {
  const { age_seconds, created_in_future, rotation_due } = await box.json("status");
  assert.deepEqual([age_seconds, created_in_future, rotation_due], [0, true, true]);
  assert.match(
    (await box.run(["status"])).stdout,
    /age +not known: made .*in the future: the clock was ahead/,
  );
  const check = await box.run(["status", "--check"]);
  assert.equal(check.code, 5);
  assert.match(check.stdout, /^REKEY CRITICAL .* was made in the future .*a rotation is due/);
  assert.match(check.stdout, / \| age=U;;7776000 /);
  assert.match(check.stderr, /the clock was ahead/);
});

test("made by a clock that was ahead: apps says that the age is not known", async (box) => {
  assert.match((await box.run(["apps"])).stdout, /^agiworkforce \* +1 +database +not known +\//m);
  const { age_seconds, created_in_future } = await box.json("apps");
  assert.deepEqual([age_seconds, created_in_future], [0, true]);
});

test("made by a clock that was ahead: doctor says so, and finds nothing after a rotation", async (box) => {
  const { findings } = await examined(box);
  const due = findings.find(({ code }) => code === "rotation_due");
  assert.match(due!.what, /in the future/);
  // What is written now is right: only the version is from the future.
  await box.token();
  assert.deepEqual((await examined(box)).findings.map(({ code }) => code), ["rotation_due"]);
  await box.run(["rotate", "--force", "--no-backup"]);
  assert.ok((await examined(box)).healthy);
});

test("made by a clock that was ahead: a scheduled rotation is made, once", async (box) => {
  const args = ["rotate", "--force", "--if-older-than", "90d"];
  const plan = await box.json(...args, "--dry-run");
  assert.equal(plan.rotated, undefined);
  const first = await box.run(args);
  assert.equal(first.code, 0);
  assert.match(first.stderr, /in the future, .*; it counted as due/);
  assert.equal((await box.json(...args)).rotated, false);
  assert.equal((await box.json("status")).version, 2);
});

test("made by a clock that was ahead: metrics and the status page say so", async (box) => {
  await using server = await Serving.start(box);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^rekey_current_version_age_seconds 0$/m);
  assert.match(metrics, /^rekey_rotation_due 1$/m);
  assert.match(metrics, /^rekey_current_version_in_future 1$/m);
});

test("a grace window of a clock that was ahead lasts for its own length", async (box) => {
  const token = (await ahead(box, "issue", "--quiet", "--sub", "a", "--ttl", "1h")).stdout.trim();
  await ahead(box, "rotate", "--force", "--no-backup", "--grace", "1h");
  assert.equal((await box.json("verify", token)).valid, true, "inside its window");
  const [{ until }] = (await box.json("status")).grace;
  assert.ok(Date.parse(until) - Date.now() <= 3_600_000, until);
  assert.match((await box.run(["audit", "list"])).stdout, /recovered/);
  const later = ["-f", "+2h", REKEY, "verify", token, "--json"];
  const { stdout } = await box.exec("/usr/bin/faketime", later);
  assert.equal(JSON.parse(stdout).code, "retired_kid");
  assert.equal((await box.json("audit", "verify")).valid, true);
});

test("an announcement made by a clock that was ahead is ignored", async (box) => {
  // Killed while it waits, so that it cannot take the announcement back; faketime is its parent.
  const line = `faketime -f +730d "$0" rotate --force --at 1h > said 2>&1 &
    until grep -q announced said; do kill -0 $! || exit 9; sleep 0.1; done
    kill -9 $(cat /proc/$!/task/$!/children); wait $!; true`;
  const ended = await box.exec("/bin/sh", ["-c", line, REKEY]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match((await box.run(["audit", "list"])).stdout, /announced/);
  assert.doesNotMatch((await box.run(["audit", "list"])).stdout, /cancelled/);
  assert.equal((await box.json("status")).rotation_announced, null);
});

Deno.test("automatic copies dated in the future do not displace newer ones", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  for (let n = 0; n < 5; n++) await box.run(["rotate", "--force"]);
  const future = new Date(Date.now() + 730 * 86_400_000);
  for (let n = 1; n <= 5; n++) Deno.utimeSync(`${box.database}.v${n}.backup`, future, future);
  await box.run(["rotate", "--force"]);
  assert.ok(Deno.statSync(`${box.database}.v6.backup`).isFile, "the one that was just made");
  assert.throws(() => Deno.statSync(`${box.database}.v1.backup`), Deno.errors.NotFound);
});
