import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { examined, follow, found, lines, mends, type Printed } from "../support/commands/doctor.ts";
import { CAN_MOUNT, fillDisk, installed, Mount, unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { pause } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { makeSpecimen } from "../support/faults/specimen.ts";
import { connect, queryRow, sql } from "../support/store/sql.ts";

const TOOLS = dirname(REKEY);

Deno.test("doctor: a machine in order is in order, and looking at it changes nothing", async () => {
  using box = await initialised();
  const before = box.files();
  assert.deepEqual(await examined(box), { healthy: true, findings: [], fixed: [] });
  const { stdout, stderr } = await box.run(["doctor"]);
  assert.match(stdout, /^ok {6}files\nok {6}database\n/);
  assert.equal(stderr, "");
  assert.deepEqual(box.files(), before);
});

Deno.test("doctor: no secret yet; the command that it names makes one", async () => {
  using box = new Box();
  const finding = await found(box, "not_initialised");
  assert.equal(finding.command, "rekey init");
  assert.deepEqual([...box.files().keys()], [], "looking makes nothing");
  await follow(box, finding, TOOLS);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: commands are about the app and the folder that were named", async () => {
  using box = new Box();
  const folder = join(box.home, "a folder; of `mine` mine's");
  const finding = await found(box, "not_initialised", ["--app", "acme", "--data-dir", folder]);
  await follow(box, finding, TOOLS);
  const { healthy } = await examined(box, ["--app", "acme", "--data-dir", folder]);
  assert.ok(healthy);
});

Deno.test("doctor: modes, by hand and with --fix", async () => {
  using box = await initialised();
  Deno.chmodSync(box.database, 0o666);
  await follow(box, await found(box, "file_mode"), TOOLS);
  assert.ok((await examined(box)).healthy);
  Deno.chmodSync(dirname(box.database), 0o777);
  Deno.chmodSync(join(box.home, ".config/rekey"), 0o755);
  await found(box, "file_mode");
  await mends(box, "file_mode");
});

Deno.test("doctor: a named folder keeps its mode, unless others can write to it", async () => {
  using box = new Box();
  const folder = join(box.home, "shared");
  Deno.mkdirSync(folder);
  Deno.chmodSync(folder, 0o755);
  await box.run(["init", "--data-dir", folder]);
  assert.ok((await examined(box, ["--data-dir", folder])).healthy);
  Deno.chmodSync(folder, 0o775);
  await found(box, "file_mode", ["--data-dir", folder]);
  await box.run(["doctor", "--fix", "--data-dir", folder]);
  assert.equal(Deno.statSync(folder).mode! & 0o777, 0o755);
});

Deno.test("doctor: a folder on the way that everybody can write", async () => {
  using box = await initialised();
  const open = join(box.home, ".local");
  Deno.chmodSync(open, 0o777);
  await follow(box, await found(box, "way_unsafe"), TOOLS);
  assert.ok((await examined(box)).healthy);
});

Deno.test({
  name: "doctor: a file that sudo has made",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    using box = await initialised();
    Deno.chownSync(`${box.database}.lock`, 65_534, 65_534);
    const { findings } = await examined(box);
    const finding = findings.find(({ code }) => code === "file_owner");
    assert.equal(finding?.command, `chown 0 ${box.database}.lock`);
    await follow(box, finding!, TOOLS);
    assert.ok((await examined(box)).healthy);
    const folder = dirname(box.database);
    Deno.chownSync(folder, 65_534, 65_534);
    const theirs = (await examined(box)).findings.find(({ what }) => what.startsWith(`${folder} `));
    assert.equal(theirs?.command, `# run rekey as the owner of ${folder} (uid 65534)`);
  },
});

Deno.test({
  name: "doctor: a disk that is full, or nearly",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = await initialised();
    const folder = dirname(box.database);
    using _disk = Mount.smallDisk(folder, 16_384);
    const { command } = await found(box, "disk_low");
    assert.equal(
      command,
      `du -xah ${folder} | sort -h | tail`,
      "the disk that is full, and no other",
    );
    await follow(box, { command } as Printed, TOOLS);
    using _filled = fillDisk(folder, 100);
    await found(box, "disk_full");
  },
});

Deno.test("doctor: a database of somebody else's, of a newer rekey, of nobody", async () => {
  using box = await initialised();
  sql(box, "PRAGMA user_version = 99");
  await found(box, "database_newer");
  Deno.writeFileSync(box.database, new TextEncoder().encode("not a database".repeat(100)));
  await found(box, "database_damaged");
  Deno.removeSync(box.database);
  sql(box, "CREATE TABLE theirs (x); PRAGMA user_version = 7");
  Deno.chmodSync(box.database, 0o600);
  await found(box, "database_foreign");
  Deno.removeSync(box.database);
  Deno.mkdirSync(box.database, { mode: 0o600 });
  await found(box, "database_unusable");
});

Deno.test("doctor: a page that the disk has changed", async () => {
  using specimen = await makeSpecimen();
  const { box } = specimen;
  const bytes = specimen.bytes.slice();
  // The end of a page: rows of it are damaged, and the file can still be opened.
  const page = bytes.lastIndexOf(0x7b) & ~4_095;
  bytes.fill(0xff, page, page + 64);
  Deno.writeFileSync(box.database, bytes, { mode: 0o600 });
  const { findings } = await examined(box);
  assert.ok(findings.some(({ code }) => code === "database_damaged"), JSON.stringify(findings));
});

Deno.test("doctor: a database that another program keeps locked", async () => {
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

Deno.test("doctor: a killed rotation is found, and finished by --fix", async () => {
  using box = await initialised();
  const left = async () => (await examined(box)).findings.map(({ code }) => code);
  const seen = new Set<string>();
  for (let call = 4; call < 80 && seen.size < 2; call += 3) {
    const inject = `inject=pwrite64,fsync:signal=SIGKILL:when=${call}`;
    const killed = ["-f", "-qq", "-e", inject, "-o", "/dev/null", REKEY, "rotate", "--force"];
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
  await box.run(["rotate", "--force", "--grace", "1s"]);
  await pause(1_100);
  await found(box, "unfinished");
  await mends(box, "unfinished");
});

Deno.test("doctor: the KEK is gone, another one, none, or everybody's", async () => {
  using box = await initialised();
  const [kek] = [...box.files().keys()].filter((path) => path.endsWith(".kek"));
  Deno.chmodSync(kek!, 0o644);
  await found(box, "kek_exposed");
  await mends(box, "kek_exposed");
  const other = join(box.home, "other");
  Deno.writeTextFileSync(other, `${"ab".repeat(32)}\n`, { mode: 0o600 });
  await found(box, "kek_wrong", ["--kek-file", other]);
  Deno.writeTextFileSync(other, "too short");
  const invalid = await found(box, "kek_invalid", ["--kek-file", other]);
  assert.match(invalid.command!, /^# Give the key that the database is sealed under/, "no new one");
  Deno.renameSync(kek!, `${kek}.away`);
  const { command } = await found(box, "kek_missing");
  // What cannot be mended hides nothing of what was found.
  Deno.chmodSync(box.database, 0o644);
  const both = (await examined(box, ["--fix"])).findings.map(({ code }) => code);
  assert.ok(both.includes("kek_missing"), String(both));
  assert.match(command!, /^# Put the key file back/, "no restore over what is sound");
  const { stdout } = await box.run(["doctor"]);
  assert.match(stdout, /not looked at.*: .*values, audit log/, stdout);
  Deno.renameSync(`${kek}.away`, kek!);
  // As containers mount secrets: what counts is the mode of what the link leads to.
  const link = join(box.home, "link");
  Deno.symlinkSync(kek!, link);
  assert.ok((await examined(box, ["--kek-file", link])).healthy);
  Deno.chmodSync(kek!, 0o644);
  await found(box, "kek_exposed", ["--kek-file", link]);
  Deno.chmodSync(kek!, 0o600);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: the value is missing, damaged or another version's", async () => {
  using box = await initialised();
  const old = queryRow(box, "SELECT value FROM settings WHERE key = 'jwt_secret'")!.value;
  sql(box, "UPDATE settings SET value = substr(value, 1, 200) || 'A' || substr(value, 202)");
  await follow(box, await found(box, "secret_damaged"), TOOLS);
  sql(box, "DELETE FROM settings");
  const finding = await found(box, "secret_missing");
  await follow(box, finding, TOOLS);
  sql(box, `UPDATE settings SET value = '${old}'`);
  await found(box, "secret_damaged");
  await box.run(["rotate", "--force"]);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: the audit log was changed", async () => {
  using box = await initialised();
  sql(box, "UPDATE rekey_audit SET actor = 'somebody@else' WHERE seq = 1");
  const { what } = await found(box, "audit_broken");
  assert.match(what, /row 1/);
});

Deno.test({
  name: "doctor: the clock has jumped",
  ignore: unless(installed("faketime"), "faketime"),
  async fn() {
    using box = await initialised();
    const yesterday = (...args: string[]) =>
      box.exec("/usr/bin/faketime", ["-f", "-1d", REKEY, "doctor", ...args]);
    const { code, stdout } = await yesterday("--json");
    assert.equal(code, 5);
    assert.match(stdout, /"clock_behind"/);
    assert.ok((await examined(box)).healthy);
  },
});

Deno.test("doctor: a rotation is due", async () => {
  using box = await initialised();
  await pause(1_100);
  const due = await found(box, "rotation_due", ["--max-age", "1s"]);
  await box.token();
  const { kid } = await box.json("status");
  await follow(box, due, TOOLS);
  const { grace: [old] } = await box.json("status");
  assert.equal(old.kid, kid, "no one is logged out at once");
  assert.ok((await examined(box, ["--max-age", "1h"])).healthy);
});

Deno.test("doctor: who has logged everybody out", async () => {
  using box = await initialised();
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  const { what } = await found(box, "sessions_ended");
  assert.match(what, /version 2 at .* by .*\(security-incident\)/);
  await box.run(["rotate", "--force", "--grace", "15m"]);
  assert.deepEqual((await examined(box)).findings, []);
});

Deno.test("doctor: what there is none of is called neither well nor wrong", async () => {
  using box = await initialised();
  assert.deepEqual(await lines(box, "-"), [
    "keyring: not used",
    "fleet: not used",
    "programs: not used",
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
  assert.deepEqual(not_used, ["keyring", "fleet", "programs"]);
  using chosen = new Box();
  await chosen.run(["init", "--store", "database"]);
  assert.ok(!(await lines(chosen, "ok")).includes("keyring"));
});

Deno.test("doctor: folders that links lead to, as a home on another disk and managers of dotfiles make them", async () => {
  for (const linked of [".local/share/agiworkforce", ".config/rekey", ".local", ".config"]) {
    using box = new Box();
    const place = join(box.home, "elsewhere");
    Deno.mkdirSync(place, { mode: 0o700 });
    Deno.mkdirSync(dirname(join(box.home, linked)), { recursive: true });
    Deno.symlinkSync(place, join(box.home, linked));
    assert.equal((await box.run(["init"])).code, 0);
    assert.deepEqual((await examined(box)).findings, [], linked);
    await box.run(["rotate", "--force", "--grace", "1h"]);
    assert.ok((await examined(box)).healthy);
    // It is the folder that counts, and its mode can be put right.
    const folder = linked.includes("config") ? ".config/rekey" : ".local/share/agiworkforce";
    Deno.chmodSync(Deno.realPathSync(join(box.home, folder)), 0o755);
    await follow(box, await found(box, "file_mode"), TOOLS);
    assert.ok((await examined(box)).healthy, linked);
  }
});

Deno.test("doctor: a link to a disk that is not there is said, and no bug", async () => {
  using box = new Box();
  Deno.mkdirSync(join(box.home, ".local/share"), { recursive: true });
  Deno.symlinkSync("/nowhere/at/all", dirname(box.database));
  const { findings } = await examined(box);
  assert.deepEqual(findings.map(({ code }) => code), ["database_unusable"]);
});

Deno.test("doctor: a folder of the configuration that holds no key of rekey's is none of its business", async () => {
  using box = new Box();
  const key = join(box.home, "kek");
  Deno.writeTextFileSync(key, `${"ab".repeat(32)}\n`, { mode: 0o600 });
  Deno.mkdirSync(join(box.home, ".config/rekey"), { recursive: true, mode: 0o755 });
  await box.run(["init", "--kek-file", key]);
  assert.deepEqual((await examined(box, ["--kek-file", key])).findings, []);
});

Deno.test({
  name:
    "doctor: a key file on a read-only mount, whatever its mode, is no alarm that nothing can end",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = new Box();
    const folder = join(box.home, "mounted");
    const key = join(folder, "kek");
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(key, `${"ab".repeat(32)}\n`, { mode: 0o400 });
    const flags = ["--kek-file", key];
    await box.run(["init", ...flags]);
    for (const [mode, expected] of [[0o400, []], [0o600, []], [0o444, ["kek_readable"]]] as const) {
      Deno.chmodSync(key, mode);
      using _mount = Mount.readOnly(folder);
      const { healthy, findings } = await examined(box, flags);
      assert.ok(healthy, JSON.stringify(findings));
      assert.deepEqual(findings.map(({ code }) => code), expected);
      assert.deepEqual(findings.map(({ command }) => command), expected.map(() => null));
    }
    // Where its mode can be changed the proposal works.
    await follow(box, await found(box, "kek_exposed", flags), TOOLS);
    assert.deepEqual((await examined(box, flags)).findings, []);
  },
});

Deno.test({
  name: "doctor: the folder of the key file on a read-only mount",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = await initialised();
    const folder = join(box.home, ".config/rekey");
    Deno.chmodSync(folder, 0o500);
    using _mount = Mount.readOnly(folder);
    assert.deepEqual((await examined(box)).findings, []);
  },
});

Deno.test("doctor: a server that has the database open is no finding, whatever it writes", async () => {
  using box = await initialised();
  await using _serving = await Serving.start(box, ["--workers", "1"]);
  await box.token();
  assert.deepEqual((await examined(box)).findings, []);
});

Deno.test("doctor: a proposal names a program that is there, or says in words what to do", async () => {
  using box = await initialised();
  const sqlite = connect(box);
  sqlite.exec("BEGIN IMMEDIATE");
  const options = { env: { PATH: "/nonexistent" } };
  const { command } = await found(box, "database_locked", [], options);
  sqlite.close();
  assert.match(command!, /^# find the program that has/);
});
