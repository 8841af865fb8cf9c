import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { examined, fixes, follow, found, lines } from "../support/commands/doctor.ts";
import { initialised } from "../support/process/initialised.ts";
import { pause } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { connect } from "../support/store/sql.ts";

const TOOLS = dirname(REKEY);

Deno.test("doctor: a healthy machine has no findings, and looking at it changes nothing", async () => {
  using box = await initialised();
  const before = box.digests();
  assert.deepEqual(await examined(box), { healthy: true, findings: [], fixed: [] });
  const { stdout, stderr } = await box.run(["doctor"]);
  assert.match(stdout, /^ok {6}files\nok {6}database\n/);
  assert.equal(stderr, "");
  assert.deepEqual(box.digests(), before);
});

Deno.test("doctor: without a secret, the command that it names makes one", async () => {
  using box = new Box();
  const finding = await found(box, "not_initialised");
  assert.equal(finding.command, "rekey init");
  assert.deepEqual([...box.files().keys()], [], "looking makes nothing");
  await follow(box, finding, TOOLS);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: the commands that it names are about the app and folder that were given", async () => {
  using box = new Box();
  const folder = join(box.home, "a folder; of `mine` mine's");
  const finding = await found(box, "not_initialised", ["--app", "acme", "--data-dir", folder]);
  await follow(box, finding, TOOLS);
  const { healthy } = await examined(box, ["--app", "acme", "--data-dir", folder]);
  assert.ok(healthy);
});

Deno.test("doctor: a database that another program keeps locked is found", async () => {
  using box = await initialised();
  const sqlite = connect(box);
  sqlite.exec("BEGIN IMMEDIATE");
  await found(box, "database_locked");
  sqlite.exec("ROLLBACK");
  sqlite.close();
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: a rotation that is under way is not taken for one that was left", async () => {
  using box = await initialised();
  const lock = connect(`${box.database}.lock`);
  lock.exec("BEGIN EXCLUSIVE");
  await found(box, "under_way");
  lock.close();
});

const ROTATE = ["rotate", "--force", "--no-backup"];

Deno.test("doctor: a killed rotation is found, and finished by --fix", async () => {
  using box = await initialised();
  const left = async () => (await examined(box)).findings.map(({ code }) => code);
  const seen = new Set<string>();
  // An automatic copy before the rotation would make about seventy of them.
  for (let call = 4; call < 160 && seen.size < 2; call += 4) {
    const inject = `inject=pwrite64,fsync:signal=SIGKILL:when=${call}`;
    const killed = ["-f", "-qq", "-e", inject, "-o", "/dev/null", REKEY, ...ROTATE];
    await box.exec("/usr/bin/strace", killed);
    for (const code of await left()) {
      if (code === "unfinished" || code === "log_left") seen.add(code);
    }
    await box.run(["doctor", "--fix"]);
    assert.deepEqual((await left()).filter((code) => code !== "sessions_ended"), []);
  }
  assert.deepEqual(seen, new Set(["unfinished", "log_left"]));
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("doctor: the log of a database that a program has open is no finding", async () => {
  using box = await initialised();
  const reader = connect(box);
  reader.exec("BEGIN; SELECT * FROM rekey_meta");
  await box.run(["issue", "--sub", "a"]);
  assert.ok(Deno.statSync(`${box.database}-wal`).size > 0);
  assert.deepEqual((await examined(box)).findings, []);
  reader.close();
});

Deno.test("doctor: a grace window that is over is finished by --fix", async () => {
  using box = await initialised();
  const { grace_until } = await box.json("rotate", "--force", "--grace", "2s");
  await pause(Math.max(Date.parse(grace_until) + 100 - Date.now(), 0));
  await found(box, "unfinished");
  await fixes(box, "unfinished");
});

Deno.test("doctor: what does not exist is reported as neither good nor bad", async () => {
  using box = await initialised();
  assert.deepEqual(await lines(box, "-"), [
    "keyring: not used",
    "fleet: not used",
    "audit stream: not used",
    "programs: not used",
    "deliveries: not used",
  ]);
  const fine = [
    "files",
    "database",
    "key-encryption key",
    "values",
    "audit log",
    "clock",
    "rotation",
  ];
  assert.deepEqual(await lines(box, "ok"), fine);
  const { not_used } = await box.json("doctor");
  assert.deepEqual(not_used, ["keyring", "fleet", "audit stream", "programs", "deliveries"]);
  using chosen = new Box();
  await chosen.run(["init", "--store", "database"]);
  assert.ok(!(await lines(chosen, "ok")).includes("keyring"));
});

Deno.test("doctor: a server that has the database open is no finding, whatever it writes", async () => {
  using box = await initialised();
  await using _serving = await Serving.start(box, ["--workers", "1"]);
  await box.token();
  assert.deepEqual((await examined(box)).findings, []);
});

Deno.test("doctor: a proposed command names a program that exists, or says in words what to do", async () => {
  using box = await initialised();
  const sqlite = connect(box);
  sqlite.exec("BEGIN IMMEDIATE");
  const options = { env: { PATH: "/nonexistent" } };
  const { command } = await found(box, "database_locked", [], options);
  sqlite.close();
  assert.match(command!, /^# find the program that has/);
});

Deno.test("doctor: a schedule that is older than the first delivery is found, until it is set up again", async () => {
  using box = await initialised();
  const add = ["deliver", "add", "api", "--format", "text", "--path", join(box.home, "key")];
  assert.equal((await box.run(add)).code, 0);
  const codes = async (...args: string[]) =>
    (await examined(box, args)).findings.map(({ code }) => code)
      .filter((code) => code !== "delivery_on_disk");
  assert.deepEqual(await codes(), [], "no schedule");
  const folder = join(box.home, ".config/systemd/user");
  const enable = (target: string, unit: string) => {
    const wants = join(folder, `${target}.target.wants`);
    Deno.mkdirSync(wants, { recursive: true });
    // Enabled units are links; this one leads nowhere.
    Deno.symlinkSync(join(folder, unit), join(wants, unit));
  };
  enable("timers", "rekey-rotate-other.timer");
  assert.deepEqual(await codes(), [], "another app's schedule");
  enable("timers", "rekey-rotate-agiworkforce.timer");
  const { command } = await found(box, "schedule_older");
  assert.match(command!, /^# rekey schedule systemd --user --install, with the flags/);
  enable("default", "rekey-deliver-agiworkforce.service");
  assert.deepEqual(await codes(), []);
  const kept = box.digests();
  await codes();
  assert.deepEqual(box.digests(), kept);
});
