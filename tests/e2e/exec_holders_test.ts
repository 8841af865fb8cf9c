import assert from "node:assert/strict";
import { type Box, REKEY } from "../support/process/box.ts";
import { examined, found } from "../support/commands/doctor.ts";
import { CAN_MOUNT, unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { Running } from "../support/process/running.ts";
import { Serving } from "../support/http/serving.ts";
import { removeDatabase } from "../support/store/backing_up.ts";
import { connect, query, sql } from "../support/store/sql.ts";

const rotate = (box: Box, ...more: string[]) => box.run(["rotate", "--force", ...more]);
const codes = async (box: Box) => (await examined(box)).findings.map(({ code }) => code);

const rows = (box: Box) => query(box, "SELECT * FROM rekey_exec");

async function end({ process }: Running): Promise<void> {
  process.kill("SIGKILL");
  await process.status;
}

/** Kills an exec, and checks that a rotation names the program that it leaves behind. */
async function isNamedAlone(box: Box, running: Running, child: number): Promise<void> {
  await end(running);
  try {
    const { stale_processes } = JSON.parse((await rotate(box, "--json")).stdout);
    assert.deepEqual(stale_processes.map((one: { pid: number }) => one.pid), [child]);
  } finally {
    Deno.kill(child, "SIGKILL");
  }
}

async function metric(serving: Serving, state: string): Promise<number> {
  const text = await (await fetch(`${serving.url}/metrics`)).text();
  return Number(new RegExp(`^rekey_exec_processes{state="${state}"} (\\d+)$`, "m").exec(text)?.[1]);
}

Deno.test("exec: whoever holds an ended version is named by rotate, status, doctor and metrics until it is restarted", async () => {
  using box = await initialised();
  const old = (await box.json("status")).kid;
  await using running = await Running.start(box, listener());
  await using serving = await Serving.start(box, ["--workers", "1"]);
  assert.equal(await metric(serving, "current"), 1);
  assert.deepEqual((await box.json("status")).stale_processes, []);
  const { code, stderr } = await rotate(box);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    new RegExp(
      `^warning: python3 \\(PID ${running.id}\\) has held version 1, which no longer verifies, since \\S+: restart it$`,
      "m",
    ),
  );
  const [held, ...others] = (await box.json("status")).stale_processes;
  assert.deepEqual(others, []);
  const { pid, program, kid, version, state, until } = held;
  const expected = [running.id, "python3", old, 1, "ended", null];
  assert.deepEqual([pid, program, kid, version, state, until], expected);
  assert.match(
    (await box.run(["status"])).stdout,
    new RegExp(`^process +python3 \\(PID ${pid}\\)`, "m"),
  );
  assert.match((await box.run(["status", "--check"])).stdout, /1 process with an ended version/);
  const finding = await found(box, "exec_ended");
  assert.equal(finding.command, `# restart PID ${pid} (python3)`);
  assert.deepEqual([await metric(serving, "ended"), await metric(serving, "current")], [1, 0]);
  const { stale_processes } = await (await fetch(`${serving.url}/status.json`)).json();
  assert.deepEqual(stale_processes, [held]);
  await end(running);
  await using again = await Running.start(box, listener());
  assert.ok(!(await codes(box)).includes("exec_ended"), "restarted, as the proposal says");
  assert.equal(await metric(serving, "ended"), 0);
  assert.deepEqual(
    rows(box).map((row) => row.pid),
    [again.id],
    "the one that is gone is forgotten",
  );
});

Deno.test("exec: whoever holds a version in its grace window is told until when, and `revoke` ends that", async () => {
  using box = await initialised();
  await using running = await Running.start(box, listener());
  const { stderr, stdout } = await rotate(box, "--grace", "1h", "--json");
  const { stale_processes: [held], grace_until } = JSON.parse(stdout);
  assert.deepEqual([held.pid, held.state, held.until], [running.id, "grace", grace_until]);
  assert.match(stderr, /which verifies until \S+, since \S+: restart it before then/);
  const note = (await examined(box)).findings.find(({ code }) => code === "exec_grace");
  assert.equal(note?.level, "note");
  const revoked = await box.json("revoke");
  assert.deepEqual(revoked.stale_processes.map((one: { state: string }) => one.state), ["ended"]);
  await found(box, "exec_ended");
});

Deno.test("exec --on-rotate restart: the child that was started again is not named, one that lost its parent is", async () => {
  using box = await initialised();
  await using running = await Running.start(box, listener(), {
    flags: ["--on-rotate", "restart"],
  });
  const first = await rotate(box);
  assert.doesNotMatch(first.stderr, /restart it/, "it is being restarted");
  await running.until(() =>
    rows(box)[0]?.kid !== undefined && running.stdout.split("ready").length > 2
  );
  const { kid } = await box.json("status");
  await running.until(() => rows(box)[0]?.kid === kid);
  const [child] = running.children();
  assert.deepEqual(rows(box).map(({ pid }) => pid), [child]);
  await isNamedAlone(box, running, child!);
});

Deno.test("exec: a program that is waited for is recorded before it has started", async () => {
  for (const flags of [["--on-rotate", "restart"], ["--keys-file"]]) {
    using box = await initialised();
    const { kid } = await box.json("status");
    // So that what exec does after the start comes too late.
    const program = ["/bin/sh", "-c", "kill -STOP $PPID; echo ready; exec sleep 100"];
    await using running = await Running.start(box, program, { flags });
    const [row, ...others] = rows(box);
    assert.deepEqual([row?.kid, row?.program, row?.keeper_pid], [kid, "sh", running.id]);
    assert.deepEqual(others, []);
    running.process.kill("SIGCONT");
    await running.until(() => rows(box).map(({ pid }) => pid).join() === `${running.children()}`);
  }
});

Deno.test("exec --on-rotate signal: a program that was told raises no alarm", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "1"]);
  await using running = await Running.start(box, listener(), {
    flags: ["--on-rotate", "signal:HUP"],
  });
  assert.doesNotMatch((await rotate(box)).stderr, /restart it/);
  await running.until(() => running.stdout.includes("SIGHUP"));
  assert.ok(!(await codes(box)).includes("exec_ended"));
  assert.equal(await metric(serving, "told"), 1);
});

Deno.test("exec: a program that has ended is not named, whatever process has its number now", async () => {
  using box = await initialised();
  const ended = await box.run(["exec", "--", "/usr/bin/true"]);
  assert.equal(ended.code, 0, ended.stderr);
  await using running = await Running.start(box, listener());
  const [row] = rows(box);
  assert.equal(row!.pid, running.id, "what has ended was forgotten by the next");
  // Another process that has got the number of one that had the secret.
  sql(box, "UPDATE rekey_exec SET started = started - 1");
  assert.deepEqual(JSON.parse((await rotate(box, "--json")).stdout).stale_processes, []);
  assert.deepEqual(rows(box), [], "and forgotten");
  // One of an earlier start of the system, and one of a container.
  const insert = (place: string) =>
    sql(
      box,
      `INSERT INTO rekey_exec VALUES ('${place}', ${running.id}, ${
        row!.started
      }, 'x', 'node', ${Date.now()}, NULL, NULL, NULL, NULL)`,
    );
  const [boot, namespace] = String(row!.place).split(" ");
  insert(`00000000-0000-0000-0000-000000000000 ${namespace}`);
  insert(`${boot} 1`);
  assert.deepEqual((await box.json("status")).stale_processes, []);
  assert.deepEqual(rows(box).map(({ place }) => place), [`${boot} 1`], "what is unknown is kept");
});

Deno.test({
  name:
    "exec: a process in a container of its own is not taken for one here, nor the other way round",
  ignore: unless(CAN_MOUNT, "root that may unshare"),
  async fn() {
    using box = await initialised();
    const started = "touch started; exec sleep 100";
    const line = `"$0" exec -- sh -c '${started}' & until [ -e started ]; do sleep 0.1; done
      "$0" rotate --force --json`;
    const args = ["--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh", "-c", line, REKEY];
    const inside = await box.exec("/usr/bin/unshare", args);
    const { stale_processes } = JSON.parse(inside.stdout);
    assert.deepEqual(stale_processes.map((one: { program: string }) => one.program), ["sh"]);
    assert.equal(rows(box).length, 1);
    assert.deepEqual((await box.json("status")).stale_processes, []);
  },
});

Deno.test("exec: what is kept of a program is its name, and neither its arguments nor the secret", async () => {
  using box = await initialised();
  const value = "a-password-among-the-arguments";
  await using _running = await Running.start(box, [...listener(), value]);
  const text = JSON.stringify(rows(box));
  assert.match(text, /"program":"python3"/);
  assert.ok(!text.includes(value));
});

Deno.test("exec: a database that takes no writes keeps no program from running", async () => {
  using box = await initialised();
  const sqlite = connect(box);
  sqlite.exec("BEGIN IMMEDIATE");
  const { code, stderr } = await box.run(["exec", "--", "/usr/bin/true"]);
  sqlite.exec("ROLLBACK");
  sqlite.close();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^warning: the retrieval of the secret could not be written .*$/m);
  assert.match(stderr, /^warning: could not record that this program has the secret/m);
});

Deno.test("restore: what runs on this machine is still known after an older copy was brought back", async () => {
  using box = await initialised();
  const backup = `${box.home}/backup.db`;
  await box.run(["backup", backup]);
  await using running = await Running.start(box, listener());
  await rotate(box);
  const { code, stderr } = await box.run(["restore", backup, "--force", "--new-secret"]);
  assert.equal(code, 0, stderr);
  await rotate(box);
  const { stale_processes } = await box.json("status");
  assert.deepEqual(stale_processes.map((one: { pid: number }) => one.pid), [running.id]);
});

Deno.test("destroy names the programs that still have the secret, which nothing knows of afterwards", async () => {
  using box = await initialised();
  await using running = await Running.start(box, listener());
  await using told = await Running.start(box, listener(), { flags: ["--on-rotate", "signal:HUP"] });
  const { code, stdout, stderr } = await box.run(["destroy", "--force", "--json"]);
  assert.equal(code, 0, stderr);
  for (const pid of [running.id, told.children()[0]]) {
    const named = `python3 (PID ${pid}) has held version 1, which no longer verifies, since `;
    assert.ok(stderr.includes(named), stderr);
  }
  const { stale_processes } = JSON.parse(stdout);
  const states = stale_processes.map(({ state }: { state: string }) => state);
  assert.deepEqual(states, ["ended", "ended"]);
});

Deno.test("exec: a database in place of the one that knew of the program learns of it", async () => {
  for (const flags of [["--on-rotate", "signal:HUP"], ["--keys-file"]]) {
    using box = await initialised();
    await using running = await Running.start(box, listener(), { flags });
    const [child] = running.children();
    const isKnown = () => rows(box).some(({ pid }) => pid === child);
    await running.until(isKnown);
    await box.run(["destroy", "--force"]);
    await box.run(["init", "--store", "database"]);
    await running.until(isKnown);
    assert.doesNotMatch((await rotate(box)).stderr, /restart it/, "it is told");
    // A database that came back after it was lost.
    const backup = `${box.home}/backup.db`;
    await box.run(["backup", backup]);
    removeDatabase(box);
    await box.json("restore", backup);
    await running.until(isKnown);
    await isNamedAlone(box, running, child!);
  }
});
