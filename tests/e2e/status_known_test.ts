import assert from "node:assert/strict";
import { join } from "node:path";
import { examined } from "../support/commands/doctor.ts";
import { initialised } from "../support/process/initialised.ts";

const KNOWN = [
  "app",
  "version",
  "kid",
  "location",
  "age_seconds",
  "rotation_due",
  "grace",
  "kek",
  "alg",
];

Deno.test("status: when the secret cannot be read it prints what it knows, and exits 4", async () => {
  using box = await initialised();
  await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const config = join(box.home, ".config/rekey");
  Deno.renameSync(config, `${config}.away`);
  const { code, stdout, stderr } = await box.run(["status", "--json"]);
  assert.equal(code, 4);
  const facts = JSON.parse(stdout);
  for (const name of KNOWN) assert.ok(facts[name] !== undefined, name);
  assert.deepEqual([facts.version, facts.grace.length, facts.error.code], [2, 1, "kek_missing"]);
  assert.equal(JSON.parse(stderr).error.code, "kek_missing");
  const human = await box.run(["status"]);
  assert.equal(human.code, 4);
  assert.match(human.stdout, /^app +agiworkforce\nversion +2 /);
  assert.match(human.stdout, /^secret +not available: kek_missing$/m);
  assert.match(human.stderr, /^error: /);
  const check = await box.run(["status", "--check"]);
  assert.deepEqual([check.code, check.stdout.split("\n").length], [4, 2]);
  assert.match(check.stdout, /^REKEY CRITICAL - /);
  for (
    const args of [["audit", "list"], ["stats"], ["session", "list"], ["user", "list"], [
      "store",
      "show",
    ]]
  ) {
    const ended = await box.run(args);
    assert.equal(ended.code, 0, `${args}: ${ended.stderr}`);
    assert.notEqual(ended.stdout, "");
  }
});

Deno.test("status: a database that cannot be read is named", async () => {
  using box = await initialised();
  Deno.writeTextFileSync(
    box.database,
    "no database any more, and longer than a header of SQLite has to be",
  );
  const { code, stdout } = await box.run(["status", "--json"]);
  assert.equal(code, 4);
  const { app, database, error } = JSON.parse(stdout);
  assert.deepEqual([app, database, typeof error.code], ["agiworkforce", box.database, "string"]);
});

Deno.test("status: no secret at all is an error alone", async () => {
  using box = await initialised();
  const { code, stdout } = await box.run(["status", "--app", "other", "--json"]);
  assert.deepEqual([code, stdout], [4, ""]);
});

Deno.test("a pipe or a folder in the database's place is refused at once, and doctor changes no mode", async () => {
  using box = await initialised();
  for (const [make, args] of [["mkfifo", []], ["mkdir", ["-m", "755"]]] as const) {
    Deno.removeSync(box.database);
    await box.exec(make, [...args, box.database]);
    for (const line of [["status"], ["store", "show"], ["rotate", "--force"]]) {
      const { code, stderr } = await box.run(line);
      assert.equal(code, 4, `${make} ${line}`);
      assert.match(stderr, /not a regular file/);
    }
    const { findings } = await examined(box);
    assert.deepEqual(findings.map(({ code }) => code), ["database_unusable"]);
    assert.match(findings[0]!.what, /not a regular file/);
    const { stdout } = await box.run(["apps"]);
    assert.match(stdout, /^agiworkforce \* +unreadable/m);
  }
});

Deno.test("a file that is not a database is not reported as an unknown app", async () => {
  using box = await initialised();
  Deno.writeTextFileSync(box.database, "no database any more, and longer than a header of SQLite");
  const { stdout, stderr } = await box.run(["apps"]);
  assert.match(stdout, /^agiworkforce \* +unreadable/m);
  assert.equal(stderr, "");
});

Deno.test("a rotation that cannot be made: --dry-run says so too, and it is said once", async () => {
  using box = await initialised();
  const config = join(box.home, ".config/rekey");
  Deno.renameSync(config, `${config}.away`);
  for (const flag of ["--dry-run", "--force"]) {
    const { code, stderr } = await box.run(["rotate", flag]);
    assert.equal(code, 4, stderr);
    assert.equal(stderr.match(/Cannot find KEK/g)?.length, 1, stderr);
  }
  // Nothing would be done, so nothing can be in its way.
  assert.equal((await box.run(["rotate", "--dry-run", "--if-older-than", "1h"])).code, 0);
});

Deno.test("rotate --dry-run refuses the notices that the rotation would refuse", async () => {
  using box = await initialised();
  const cases = [
    ["--notify-url", "nonsense"],
    ["--notify-url", "https://rekey.invalid/x"],
    ["--notify-url-file", "nope"],
  ];
  for (const flags of cases) {
    const real = await box.run(["rotate", "--force", ...flags]);
    const dry = await box.run(["rotate", "--dry-run", ...flags]);
    assert.equal(dry.code, 2, `${flags}`);
    assert.deepEqual([dry.code, dry.stdout, dry.stderr], [real.code, "", real.stderr]);
  }
});
