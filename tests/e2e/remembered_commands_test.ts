import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { command, hasRun, refusal } from "../support/commands/kek_sources.ts";
import { Box } from "../support/process/box.ts";
import { removeDatabase } from "../support/store/backing_up.ts";

Deno.test("a command that says the key or passphrase itself is not remembered, however it is spelled", async () => {
  const key = randomBytes(32);
  const [hex, base64] = [key.toString("hex"), key.toString("base64")];
  const phrase = "correct horse battery staple";
  const said = [
    { REKEY_KEK_COMMAND: `echo ${hex}` },
    { REKEY_KEK_COMMAND: `echo ${base64} | base64 -d` },
    { REKEY_KEK_COMMAND: `echo ${hex.toUpperCase()} | tr A-F a-f` },
    { REKEY_PASSPHRASE_COMMAND: `echo ${Buffer.from(phrase).toString("base64")} | base64 -d` },
  ];
  for (const env of said) {
    using box = new Box();
    const { code, stderr } = await box.run(["init"], { env });
    assert.equal(code, 0, stderr);
    const [command] = Object.values(env);
    for (const [path, bytes] of box.files()) {
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes(command!.slice(5, 30)), path);
    }
    assert.equal((await refusal(box, "rotate", "--force")).exit, 4);
  }
});

Deno.test("a command that says the key in pieces between quotes is not remembered either", async () => {
  using box = new Box();
  const [first, second] = ["ab".repeat(10), "cd".repeat(22)];
  const env = { REKEY_KEK_COMMAND: `printf %s '${first}'"${second}"` };
  assert.equal((await box.run(["init"], { env })).code, 0);
  for (const [path, bytes] of box.files()) {
    assert.ok(!new TextDecoder("latin1").decode(bytes).includes("abababab"), path);
  }
  assert.equal((await refusal(box, "rotate", "--force")).exit, 4);
});

Deno.test("a remembered command that fails is said to be remembered, and how another one is", async () => {
  using box = new Box();
  await box.run(["init"], { env: { REKEY_KEK_COMMAND: command(box) } });
  Deno.renameSync(join(box.home, "kek"), join(box.home, "moved"));
  for (const args of [["init"], ["status"], ["issue", "--sub", "a"], ["rotate", "--force"]]) {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 4);
    assert.match(stderr, /ended with status 1; the command is remembered from REKEY_KEK_COMMAND/);
    assert.match(stderr, /`rekey init` with REKEY_KEK_COMMAND remembers it/);
  }
  const env = { REKEY_KEK_COMMAND: `cat ${join(box.home, "moved")}` };
  assert.equal((await box.run(["init"], { env })).code, 0);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
});

Deno.test("a command that came with a database from elsewhere is not run", async () => {
  using box = new Box();
  await box.run(["init"], { env: { REKEY_KEK_COMMAND: command(box) } });
  await box.run(["backup", "b.db"]);
  Deno.removeSync(join(box.home, "ran"));
  // A copy put in its place by hand.
  const copy = Deno.readFileSync(join(box.home, "b.db"));
  removeDatabase(box);
  Deno.writeFileSync(box.database, copy, { mode: 0o600 });
  const { exit, message, hint } = await refusal(box, "rotate", "--force");
  assert.equal(exit, 4);
  assert.match(message, /a command is remembered, but not in this file/);
  assert.match(hint, /rekey init/);
  assert.equal((await refusal(box, "kek", "rotate")).exit, 4);
  await box.run(["doctor"]);
  assert.equal(hasRun(box), false);

  // And a backup that is restored.
  removeDatabase(box);
  assert.equal((await refusal(box, "restore", "b.db")).exit, 4);
  assert.equal(hasRun(box), false);
  const env = { REKEY_KEK_COMMAND: `cat ${join(box.home, "kek")}` };
  const restored = await box.run(["restore", "b.db"], { env });
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await box.json("status")).kek.remembered, true, "it was named again");
  assert.equal(hasRun(box), false);
  // Over the database that has run it all along it goes on.
  const again = await box.run(["restore", "b.db", "--force"]);
  assert.equal(again.code, 0, again.stderr);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
});

Deno.test("a command is not run from a database that others could write", async () => {
  using box = new Box();
  await box.run(["init"], { env: { REKEY_KEK_COMMAND: command(box) } });
  Deno.removeSync(join(box.home, "ran"));
  Deno.chmodSync(box.database, 0o666);
  assert.equal((await refusal(box, "rotate", "--force")).exit, 4);
  // Its mode is right again, and what was in it then is still not trusted.
  assert.equal((await refusal(box, "rotate", "--force")).exit, 4);
  assert.equal(hasRun(box), false);
});

Deno.test("a unit for a secret whose KEK command is remembered may reach out", async () => {
  using box = new Box();
  await box.run(["init"], { env: { REKEY_KEK_COMMAND: command(box) } });
  const unit: string = (await box.json("schedule", "systemd")).files[0].content;
  assert.ok(!unit.includes("REKEY_KEK"), "it needs no variable");
  assert.ok(!unit.includes("RestrictAddressFamilies"));
});
