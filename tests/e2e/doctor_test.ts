import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box, REKEY } from "../support/box.ts";
import { examined, follow, found, mends } from "../support/doctor.ts";
import { CAN_MOUNT, fillDisk, installed, Mount, unless } from "../support/faults.ts";
import { initialised } from "../support/initialised.ts";
import { pause } from "../support/pause.ts";
import { makeSpecimen } from "../support/specimen.ts";

const TOOLS = dirname(REKEY);

function sql(box: Box, text: string): void {
  const sqlite = new DatabaseSync(box.database);
  sqlite.exec(text);
  sqlite.close();
}

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
  const folder = join(box.home, "a folder; of $(mine)");
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
});

Deno.test({
  name: "doctor: a file that sudo has made",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    using box = await initialised();
    Deno.chownSync(`${box.database}.lock`, 65_534, 65_534);
    const { findings } = await examined(box);
    const finding = findings.find(({ code }) => code === "file_owner");
    assert.equal(finding?.command, `sudo chown 0 ${box.database}.lock`);
  },
});

Deno.test({
  name: "doctor: a disk that is full, or nearly",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = await initialised();
    const folder = dirname(box.database);
    using _disk = Mount.smallDisk(folder, 16_384);
    await found(box, "disk_low");
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
  const sqlite = new DatabaseSync(box.database);
  sqlite.exec("BEGIN IMMEDIATE");
  await found(box, "database_locked");
  sqlite.exec("ROLLBACK");
  sqlite.close();
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: a rotation that is under way is not taken for one that was left", async () => {
  using box = await initialised();
  const lock = new DatabaseSync(`${box.database}.lock`);
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

Deno.test("doctor: the log of a database that is in use is not in anybody's way", async () => {
  using box = await initialised();
  const reader = new DatabaseSync(box.database);
  reader.exec("BEGIN; SELECT * FROM rekey_meta");
  await box.run(["issue", "--sub", "a"]);
  await found(box, "log_left");
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
  await found(box, "kek_invalid", ["--kek-file", other]);
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
  const was = new DatabaseSync(box.database);
  const old = was.prepare("SELECT value FROM settings WHERE key = 'jwt_secret'").get()!.value;
  was.close();
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
  await found(box, "rotation_due", ["--max-age", "1s"]);
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
