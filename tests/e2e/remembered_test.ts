import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { removeDatabase } from "../support/store/backing_up.ts";
import { Box } from "../support/process/box.ts";
import { examined, found } from "../support/commands/doctor.ts";
import { unless } from "../support/faults/faults.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { must } from "../../scripts/program.ts";
import { thoroughly } from "../support/process/sample.ts";

/** A file of one user's own, with a key in it. */
function keyFile(box: Box, name = "kek", mode = 0o600): string {
  const path = join(box.home, name);
  Deno.writeTextFileSync(path, `${randomBytes(32).toString("base64")}\n`, { mode });
  Deno.chmodSync(path, mode);
  return path;
}

/** A command that prints a key, and leaves a trace of having run. */
function command(box: Box): string {
  return `touch ${box.home}/ran; cat ${keyFile(box)}`;
}

function hasRun(box: Box): boolean {
  return box.files().delete(join(box.home, "ran"));
}

// deno-lint-ignore no-explicit-any
async function refusal(box: Box, ...args: string[]): Promise<any> {
  const { code, stderr } = await box.run([...args, "--json"]);
  return { exit: code, ...JSON.parse(stderr).error };
}

/** Each way to name a KEK once. */
const NAMED: Record<string, (box: Box) => { flags?: string[]; env?: Record<string, string> }> = {
  "--kek-file, relative": (box) => {
    keyFile(box);
    return { flags: ["--kek-file", "kek"] };
  },
  "REKEY_KEK_FILE": (box) => ({ env: { REKEY_KEK_FILE: keyFile(box) } }),
  "REKEY_KEK_COMMAND": (box) => ({ env: { REKEY_KEK_COMMAND: command(box) } }),
  "REKEY_PASSPHRASE_FILE": (box) => ({ env: { REKEY_PASSPHRASE_FILE: keyFile(box) } }),
  "REKEY_PASSPHRASE_COMMAND": (box) => ({ env: { REKEY_PASSPHRASE_COMMAND: command(box) } }),
};

// Each command that opens the database with a passphrase takes a second.
for (const [name, prepare] of Object.entries(NAMED)) {
  const test = name === "REKEY_PASSPHRASE_COMMAND" ? thoroughly : Deno.test;
  test(`${name}: named once at init, every later command finds it`, async () => {
    using box = new Box();
    const { flags = [], env = {} } = prepare(box);
    const made = await box.run(["init", ...flags], { env });
    assert.equal(made.code, 0, made.stderr);
    const { kek } = await box.json("status");
    assert.deepEqual([kek.error, kek.generated, kek.remembered], [null, false, true]);
    const elsewhere = await box.run(["rotate", "--force"], { cwd: "/" });
    assert.equal(elsewhere.code, 0, elsewhere.stderr);
    assert.equal((await box.json("verify", await box.token())).valid, true);
    const given = await box.run(["exec", "--", "sh", "-c", 'test -n "$JWT_SECRET"']);
    assert.equal(given.code, 0, given.stderr);
    assert.ok((await examined(box)).healthy);
    const human = (await box.run(["status"])).stdout;
    assert.match(human, /KEK .*\(remembered\)/);
    await using server = await Serving.start(box);
    const answer = await fetch(`${server.url}/healthz`);
    await answer.body?.cancel();
    assert.equal(answer.status, 200);
  });
}

Deno.test("a source named now takes precedence over the remembered one, and init remembers a new one", async () => {
  using box = new Box();
  const first = keyFile(box, "first");
  await box.run(["init", "--kek-file", first]);
  const other = keyFile(box, "other");
  assert.equal((await refusal(box, "status", "--kek-file", other)).exit, 4);
  const moved = join(box.home, "moved");
  Deno.renameSync(first, moved);
  const { exit, message, hint } = await refusal(box, "rotate", "--force");
  assert.equal(exit, 4);
  assert.ok(message.includes(first), message);
  assert.match(hint, /rekey init --kek-file/);
  assert.match((await found(box, "kek_missing")).what, /remembered/);
  assert.equal((await box.run(["status", "--kek-file", moved])).code, 0);
  await box.run(["init", "--kek-file", moved]);
  assert.equal((await box.json("status")).kek.source, moved);
});

Deno.test("kek rotate remembers the new KEK, or that none is set", async () => {
  using box = new Box();
  await box.run(["init"]);
  const file = keyFile(box);
  await box.run(["kek", "rotate", "--to-kek-file", "kek"]);
  const { kek } = await box.json("status");
  assert.deepEqual([kek.source, kek.remembered], [file, true]);
  await box.run(["kek", "rotate"]);
  Deno.removeSync(file);
  assert.equal((await box.json("status")).kek.generated, true);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
});

Deno.test("a key that other users can read is refused wherever it is taken up", async () => {
  using box = new Box();
  const open = keyFile(box, "open", 0o644);
  for (const mode of [0o644, 0o640, 0o604, 0o444]) {
    Deno.chmodSync(open, mode);
    const { exit, message, hint } = await refusal(box, "init", "--kek-file", open);
    assert.equal(exit, 4);
    assert.match(message, /other users can read it \(mode 0/);
    assert.match(hint, /chmod 600/);
  }
  assert.equal((await refusal(box, "status")).code, "not_initialised");
  const env = { REKEY_PASSPHRASE_FILE: open };
  assert.equal((await box.run(["init"], { env })).code, 4);
  const credentials = join(box.home, "credentials");
  Deno.mkdirSync(credentials);
  Deno.copyFileSync(open, join(credentials, "rekey-kek"));
  await box.run(["init"]);
  assert.equal((await refusal(box, "kek", "rotate", "--to-kek-file", open)).exit, 4);
  await box.run(["backup", "b.db"]);
  removeDatabase(box);
  Deno.removeSync(join(box.home, ".config"), { recursive: true });
  const restore = ["restore", "b.db", "--new-secret", "--kek-file", open];
  assert.equal((await refusal(box, ...restore)).exit, 4);
  // systemd's own folder shows what its access lists make of modes.
  const unit = await box.run(["restore", "b.db", "--new-secret"], {
    env: { CREDENTIALS_DIRECTORY: credentials },
  });
  assert.equal(unit.code, 0, unit.stderr);
});

Deno.test("a group of the system's own making may read a key that is the system's", {
  ignore: unless(Deno.uid() === 0, "root"),
}, async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  Deno.chmodSync(folder, 0o755);
  const [key, data, program] = ["kek", "data", "rekey"].map((name) => join(folder, name));
  Deno.copyFileSync(join(import.meta.dirname!, "../../dist/rekey"), program!);
  Deno.writeTextFileSync(key!, "ab".repeat(32));
  Deno.chownSync(key!, 0, 54321);
  Deno.chmodSync(key!, 0o440);
  Deno.mkdirSync(data!);
  Deno.chownSync(data!, 54321, 54321);
  const as = { uid: 54321, gid: 54321, clearEnv: true, env: { HOME: data! } };
  await must(program!, ["--data-dir", data!, "--kek-file", key!, "init"], as);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a systemd credential is remembered by its name: a command outside of its unit says so", async () => {
  using box = new Box();
  Deno.mkdirSync(join(box.home, "credentials"));
  keyFile(box, "credentials/rekey-kek");
  const env = { CREDENTIALS_DIRECTORY: join(box.home, "credentials") };
  await box.run(["init"], { env });
  const { exit, message } = await refusal(box, "rotate", "--force");
  assert.equal(exit, 4);
  assert.match(message, /systemd credential rekey-kek/);
  assert.equal((await box.run(["rotate", "--force"], { env })).code, 0);
});

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

Deno.test("a path in a backup is only read, so it stays in use", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database", "--kek-file", keyFile(box)]);
  const token = await box.token();
  await box.run(["backup", "b.db"]);
  removeDatabase(box);
  assert.equal((await box.run(["restore", "b.db"])).code, 0);
  assert.equal((await box.json("verify", token)).valid, true);
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

Deno.test("a damaged row counts as missing", async () => {
  using box = new Box();
  await box.run(["init", "--kek-file", keyFile(box)]);
  const values = ["", "[", "[]", "null", '"x"', '{"source":"run"}', '{"source":"file","value":3}'];
  for (const value of values) {
    sql(box, `UPDATE rekey_meta SET value = '${value}' WHERE key = 'kek_source'`);
    assert.equal((await refusal(box, "rotate", "--force")).exit, 4, value);
  }
  sql(box, "DELETE FROM rekey_meta WHERE key = 'kek_source'");
});

Deno.test("a unit for a secret whose KEK command is remembered may reach out", async () => {
  using box = new Box();
  await box.run(["init"], { env: { REKEY_KEK_COMMAND: command(box) } });
  const unit: string = (await box.json("schedule", "systemd")).files[0].content;
  assert.ok(!unit.includes("REKEY_KEK"), "it needs no variable");
  assert.ok(!unit.includes("RestrictAddressFamilies"));
});

Deno.test("the hint for a remembered file that is gone names what remembers another, and that does", async () => {
  for (const variable of ["REKEY_KEK_FILE", "REKEY_PASSPHRASE_FILE"]) {
    using box = new Box();
    const [path, moved] = [keyFile(box), join(box.home, "moved")];
    assert.equal((await box.run(["init"], { env: { [variable]: path } })).code, 0);
    Deno.renameSync(path, moved);
    const { exit, code, hint } = await refusal(box, "issue", "--sub", "a");
    assert.deepEqual([exit, code], [4, "kek_missing"]);
    const words = /`((?:\S+=)?)(?:FILE )?rekey (init(?: --kek-file FILE)?)`/.exec(hint);
    assert.ok(words !== null, hint);
    const env: Record<string, string> = words[1] === "" ? {} : { [words[1]!.slice(0, -1)]: moved };
    const args = words[2]!.split(" ").map((word) => word === "FILE" ? moved : word);
    assert.equal((await box.run(args, { env })).code, 0);
    assert.equal((await box.json("verify", await box.token())).valid, true);
  }
});
