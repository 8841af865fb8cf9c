import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { examined, fixes, follow, found, lines, type Printed } from "../support/commands/doctor.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { later } from "../support/commands/standby.ts";
import { pause } from "../support/timing/pause.ts";
import { makeSpecimen } from "../support/faults/specimen.ts";
import { removeDatabase } from "../support/store/backing_up.ts";
import { queryRow, sql } from "../support/store/sql.ts";

const TOOLS = dirname(REKEY);

Deno.test("doctor: a database of another app, of a newer rekey or of no app is found", async () => {
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

Deno.test("doctor: a database page that the disk has changed is found", async () => {
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

Deno.test("doctor: damage that ends several checks is shown once, and they are named as not made", async () => {
  using box = await initialised();
  sql(box, "PRAGMA wal_checkpoint(TRUNCATE)");
  const root = queryRow(box, "SELECT rootpage FROM sqlite_master WHERE name = 'rekey_meta'");
  const bytes = Deno.readFileSync(box.database);
  const page = (Number(root!.rootpage) - 1) * 4_096;
  Deno.writeFileSync(box.database, bytes.fill(0xff, page, page + 4_096));
  assert.equal((await lines(box, "WRONG")).length, 1);
  const [unchecked] = await lines(box, "?");
  assert.match(unchecked!, /^not checked because of this: .*key-encryption key/);
});

Deno.test("doctor: a KEK that is missing, wrong, not named or readable by others is found", async () => {
  using box = await initialised();
  const [kek] = [...box.files().keys()].filter((path) => path.endsWith(".kek"));
  Deno.chmodSync(kek!, 0o644);
  const { what } = await found(box, "kek_exposed");
  assert.match(what, /^Only a folder keeps other users from reading \S+\.kek \(mode 0644\)$/);
  await fixes(box, "kek_exposed");
  const other = join(box.home, "other");
  Deno.writeTextFileSync(other, `${"ab".repeat(32)}\n`, { mode: 0o600 });
  const mistaken = await found(box, "kek_wrong", ["--kek-file", other]);
  assert.match(mistaken.command!, /^# Leave out the flag or variable that names it: .*\.kek$/);
  assert.doesNotMatch(mistaken.why, /new-secret/, "the KEK is there");
  Deno.writeTextFileSync(other, "too short");
  const invalid = await found(box, "kek_invalid", ["--kek-file", other]);
  assert.match(
    invalid.command!,
    /^# Provide the key that the database was sealed under/,
    "no new one",
  );
  Deno.renameSync(kek!, `${kek}.away`);
  const { command } = await found(box, "kek_missing");
  // What cannot be fixed hides nothing of what was found.
  Deno.chmodSync(box.database, 0o644);
  const both = (await examined(box, ["--fix"])).findings.map(({ code }) => code);
  assert.ok(both.includes("kek_missing"), String(both));
  assert.match(command!, /^# Put the key file back/, "no restore over what is sound");
  const { stdout } = await box.run(["doctor"]);
  assert.match(stdout, /not checked.*: .*values, audit log/, stdout);
  assert.match(stdout, /^ {8}Put the key file back/m, "a sentence, and no command");
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

Deno.test("doctor: a value that is missing, damaged or of another version is found", async () => {
  using box = await initialised();
  const token = await box.token();
  await box.run(["backup", "b.db"]);
  const restored = async (box: Box, finding: Printed) => {
    const { command, why } = finding;
    assert.match(why, /a plain one too\. Without one, `rekey rotate --force --reason secret-lost`/);
    await follow(box, { ...finding, command: command!.replace("BACKUP", "b.db") }, TOOLS);
    assert.equal((await box.json("verify", token)).valid, true, "no one is logged out");
  };
  const old = queryRow(box, "SELECT value FROM settings WHERE key = 'jwt_secret'")!.value;
  sql(box, "UPDATE settings SET value = substr(value, 1, 200) || 'A' || substr(value, 202)");
  await restored(box, await found(box, "secret_damaged"));
  sql(box, "DELETE FROM settings");
  await restored(box, await found(box, "secret_missing"));
  await box.run(["rotate", "--force"]);
  sql(box, `UPDATE settings SET value = '${old}'`);
  await found(box, "secret_damaged");
  await box.run(["rotate", "--force"]);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: a changed audit log is found", async () => {
  using box = await initialised();
  sql(box, "UPDATE rekey_audit SET actor = 'someone@else' WHERE seq = 1");
  const { what } = await found(box, "audit_broken");
  assert.match(what, /row 1/);
});

Deno.test({
  name: "doctor: a clock that has jumped is found",
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

Deno.test("doctor: a rotation that is due is found", async () => {
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

Deno.test("doctor: a rotation that logged everyone out is named", async () => {
  using box = await initialised();
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  const { what } = await found(box, "sessions_ended");
  assert.match(what, /version 2 at .* by .*\(security-incident\)/);
  await box.run(["rotate", "--force", "--grace", "15m"]);
  assert.deepEqual((await examined(box)).findings, []);
  await box.run(["revoke"]);
  // The rotation itself ended none, and newer ones go on.
  const after = await found(box, "sessions_ended");
  assert.match(
    after.what,
    /^Every session from before version 3 has ended: \S+@\S+ revoked version 2 at \S+Z$/,
  );
  assert.match(after.command!, /audit list --event retired$/);
});

Deno.test("doctor: a version that a restoration brought back is found, until a rotation ends it again", async () => {
  using box = await initialised();
  const token = await box.token();
  await box.run(["backup", "b.db"]);
  await box.run(["rotate", "--force", "--reason", "leak"]);
  await box.run(["rotate", "--force", "--reason", "later"]);
  await box.run(["restore", "b.db", "--force"]);
  assert.equal((await box.json("verify", token)).valid, true);
  const revived = await found(box, "secret_revived");
  assert.match(
    revived.what,
    /^Version 1, which was rotated away at \S+Z \(leak\), verifies again, since the restoration at \S+Z$/,
  );
  const codes = (await examined(box)).findings.map(({ code }) => code);
  assert.deepEqual(codes, ["secret_revived"], "no session is said to have ended");
  await follow(box, revived, TOOLS);
  assert.ok((await examined(box)).healthy);
  assert.equal((await box.json("verify", token)).valid, false);
});

Deno.test("doctor: a secret that a restoration put in the place of another installation's is not revived", async () => {
  using first = await initialised();
  // One that is made here: the other is a copy.
  using second = new Box();
  await second.run(["init", "--store", "database"]);
  const identity = join(second.home, "identity");
  await second.exec("age-keygen", ["-o", identity]);
  const recipient = (await second.exec("age-keygen", ["-y", identity])).stdout.trim();
  const backup = join(second.home, "b.db");
  await first.run(["backup", backup, "--with-secret", "--recipient", recipient]);
  removeDatabase(first);
  await second.run(["rotate", "--force"]);
  const { code, stderr } = await second.run([
    ...["restore", backup, "--force", "--identity-file", identity],
  ]);
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /verifies again/);
  assert.ok((await examined(second)).healthy);
});

Deno.test("doctor: the end of a grace window is named, even if its rotation was long ago", async () => {
  using box = new Box();
  await later(box, "-3d", "init");
  await later(box, "-3d", "rotate", "--force", "--grace", "2d");
  await box.run(["rotate", "--prepare"]);
  await box.run(["rotate", "--prepare", "--alg", "ES256"]);
  const { what } = await found(box, "sessions_ended");
  assert.match(what, /before version 2 has ended: the grace window of version 1 was over at \S+Z$/);
});
