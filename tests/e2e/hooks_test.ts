import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/process/box.ts";
import { assertPlainRefusal } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { noticesOf, ROTATE, versionOf } from "../support/commands/notices.ts";
import { openSealed } from "../support/store/sealed.ts";

Deno.test("hooks are told what happens, and nothing secret", async () => {
  using box = await initialised();
  const { kid: oldKid } = await box.json("status");
  const old = await openSealed(box);
  const [before, after] = [join(box.home, "before"), join(box.home, "after")] as const;
  const { code, stdout, stderr } = await box.run([
    ...ROTATE,
    ...["--grace", "15m", "--json"],
    ...["--before", `env > ${before}; echo from before`, "--after", `env > ${after}`],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /from before/);
  const answer = JSON.parse(stdout);
  const told = (path: string) =>
    Object.fromEntries(
      Deno.readTextFileSync(path).split("\n").filter((line) => line.startsWith("REKEY_ROTATION_"))
        .map((line) => line.slice("REKEY_ROTATION_".length).split(/=(.*)/s) as [string, string]),
    );
  assert.deepEqual(told(before), {
    APP: "agiworkforce",
    VERSION: "1",
    KID: oldKid,
    LOCATION: "database",
    REASON: "a drill; $(touch x)",
  });
  assert.deepEqual(told(after), {
    ...told(before),
    VERSION: "2",
    KID: answer.kid,
    PREVIOUS_VERSION: "1",
    PREVIOUS_KID: oldKid,
    GRACE_UNTIL: answer.grace_until,
  });
  const fresh = await openSealed(box);
  for (const path of [before, after]) {
    const text = Deno.readTextFileSync(path);
    assert.ok(!text.includes(old.value) && !text.includes(fresh.value));
  }
});

Deno.test("a --before that fails stops the rotation", async () => {
  using box = await initialised();
  for (const command of ["exit 3", "kill -9 $$", "kill -34 $$", "nothing-of-this-name"]) {
    const ended = await box.run([...ROTATE, "--before", `${command} 2>/dev/null`]);
    assertPlainRefusal(ended, { exits: [1] });
    assert.equal(await versionOf(box), 1);
  }
  assert.match((await noticesOf(box)).join("\n"), /--before ended with status 3/);
});

Deno.test("a --after that fails is said and written down, and undoes nothing", async () => {
  using box = await initialised();
  const { code, stderr } = await box.run([...ROTATE, "--after", "exit 4"]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: The command of --after ended with status 4/);
  assert.equal(await versionOf(box), 2);
  const odd = await box.run([...ROTATE, "--after", "kill -34 $$"]);
  assert.equal(odd.code, 0);
  assert.match(odd.stderr, /warning: The command of --after was ended by signal 34/);
  assert.equal(await versionOf(box), 3);
  assert.deepEqual(await noticesOf(box), [
    "The command of --after ended with status 4",
    "The command of --after was ended by signal 34",
  ]);
});

Deno.test("hooks run only when something is rotated, and a hook may use rekey", async () => {
  using box = await initialised();
  const log = join(box.home, "log");
  const hooks = ["--before", `echo before >> ${log}`, "--after", `echo after >> ${log}`];
  await box.run([...ROTATE, ...hooks, "--if-older-than", "1d"]);
  assert.throws(() => Deno.statSync(log), Deno.errors.NotFound);
  await box.run([...ROTATE, ...hooks, "--request-id", "r1"]);
  await box.run([...ROTATE, ...hooks, "--request-id", "r1"]);
  assert.equal(Deno.readTextFileSync(log), "before\nafter\n");
  const folder = join(box.home, "elsewhere");
  const global = ["--app", "acme", "--data-dir", folder];
  await box.run(["init", ...global]);
  const copy = join(box.home, "copy.db");
  const { code, stderr } = await box.run([
    ...[...ROTATE, ...global, "--before", `'${REKEY}' backup ${copy}`],
    ...["--after", `'${REKEY}' status --json > ${log}`],
  ]);
  assert.equal(code, 0, stderr);
  assert.ok(Deno.statSync(copy).isFile);
  const { app, version } = JSON.parse(Deno.readTextFileSync(log));
  assert.deepEqual([app, version], ["acme", 2]);
});

Deno.test("notices are sent even if nothing reads what rotate prints", async () => {
  using box = await initialised();
  const told = join(box.home, "told");
  const line = `"$0" rotate --force --after 'touch ${told}' > /dev/full`;
  const { code } = await box.exec("/bin/sh", ["-c", line, REKEY]);
  assert.equal(code, 1);
  assert.equal(await versionOf(box), 2);
  assert.ok(Deno.statSync(told).isFile);
});

Deno.test("a working folder that is deleted meanwhile does not stop a hook", async () => {
  using box = await initialised();
  const [cwd, told] = [join(box.home, "deleted"), join(box.home, "told")];
  Deno.mkdirSync(cwd);
  const hooks = ["--before", `rmdir ${cwd}`, "--after", `touch ${told}`];
  const { code, stderr } = await box.run(["rotate", "--force", ...hooks], { cwd });
  assert.equal(code, 0, stderr);
  assert.ok(Deno.statSync(told).isFile, stderr);
});

Deno.test("a --after that fails while another program holds the database undoes nothing either", async () => {
  using box = await initialised();
  const held = join(box.home, "held");
  const hold = `/usr/bin/python3 -c 'import sqlite3, time
c = sqlite3.connect("${box.database}", isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("${held}", "w").close()
time.sleep(8)' >/dev/null 2>&1 &
while ! [ -e ${held} ]; do sleep 0.1; done
exit 4`;
  const { code, stderr } = await box.run([...ROTATE, "--after", hold]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /ended with status 4/);
  assert.equal(await versionOf(box), 2);
});
