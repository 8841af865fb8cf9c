import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { onWindows } from "../support/windows/tests.ts";

onWindows("a KEK, and a passphrase, come from a command of cmd", async (box) => {
  Deno.writeTextFileSync(join(box.home, "my kek.txt"), `${randomBytes(32).toString("base64")}\r\n`);
  const kinds = [
    ["shop", "REKEY_KEK_COMMAND", `type "%USERPROFILE%\\my kek.txt"`],
    ["club", "REKEY_PASSPHRASE_COMMAND", "echo raven & echo song"],
  ] as const;
  for (const [app, variable, line] of kinds) {
    const by = (line: string, ...args: string[]) =>
      box.run([...args, "--app", app, "--json"], { env: { [variable]: line } });
    const made = await by(line, "init");
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await by(line, "issue", "--sub", "a")).code, 0);
    const refused = await by("exit 3", "issue", "--sub", "a");
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /Cannot get the KEK: its command ended with status 3/);
  }
}, ["database"]);

onWindows("a KEK's command that takes too long is ended, with what it has started", async (box) => {
  await box.json("init");
  const env = { REKEY_KEK_COMMAND: "cmd /c ping -n 120 127.0.0.1 >nul" };
  const late = box.run(["rotate", "--force"], { env });
  await box.untilRunning("ping.exe", 1);
  const { code, stderr } = await late;
  assert.equal(code, 4);
  assert.match(stderr, /its command did not end within 10 s/);
  await box.untilRunning("ping.exe", 0);
  assert.equal((await box.json("status")).version, 1);
}, ["database"]);
