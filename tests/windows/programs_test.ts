import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { onWindows } from "../support/windows/tests.ts";

onWindows("hooks are run by cmd, told what happens, and their status counts", async (box) => {
  const { kid } = await box.json("init");
  const line = "set REKEY_ROTATION_KID& echo plain& echo aside>&2";
  const rotate = ["rotate", "--force", "--no-backup"];
  const made = await box.run([...rotate, "--json", "--before", line, "--after", "exit 4"]);
  assert.equal(made.code, 0, made.stderr);
  assert.equal(JSON.parse(made.stdout).version, 2);
  assert.match(made.stderr, new RegExp(`REKEY_ROTATION_KID=${kid}`));
  assert.match(made.stderr, /plain[^]*--after ended with status 4/);
  assert.match(made.stderr, /aside/);
  const refused = await box.run([...rotate, "--before", "exit 3"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /--before ended with status 3/);
  assert.equal((await box.json("status")).version, 2);
});

onWindows("exec: a program of PATH has the secret, and its status is rekey's", async (box) => {
  const { kid } = await box.json("init");
  const line = "echo %REKEY_KID% & if defined JWT_SECRET exit 21";
  for (const flags of [[], ["--on-rotate", "restart"]]) {
    const ended = await box.run(["exec", ...flags, "--", "cmd", "/d", "/c", line]);
    assert.equal(ended.code, 21, ended.stderr);
    assert.equal(ended.stdout.trim(), kid);
  }
  assert.equal((await box.run(["exec", "--", "no-such-program"])).code, 127);
  const signal = await box.run(["exec", "--on-rotate", "signal:HUP", "--", "cmd"]);
  assert.equal(signal.code, 2);
  assert.match(signal.stderr, /this system has no signals/);
  assert.equal((await box.run(["exec", "--env", "Path", "--", "cmd"])).code, 2);
});

onWindows(
  "exec: the arguments of a .bat file reach it as they are, and cmd runs none of them",
  async (box) => {
    await box.json("init");
    Deno.writeTextFileSync(join(box.home, "args.bat"), "@echo off\r\necho [%*]\r\n");
    const exec = (argument: string) => box.run(["exec", "--", ".\\args.bat", argument]);
    for (const argument of ["a&echo x>made", "%PATH%", "^&echo x>made"]) {
      const { code, stdout, stderr } = await exec(argument);
      assert.deepEqual([code, stdout.trimEnd()], [0, `["${argument}"]`], stderr);
    }
    const quoted = await exec('"&echo x>made&"');
    assert.equal(quoted.stdout.trimEnd(), '["""&echo x>made&"""]', quoted.stderr);
    const refused = await exec("a\necho x>made");
    assert.equal(refused.code, 126);
    assert.match(refused.stderr, /^hint: .*\.bat.*no line end in an argument$/m);
    assert.equal(existsSync(join(box.home, "made")), false);
  },
  ["database"],
);
