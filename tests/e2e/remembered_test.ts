import assert from "node:assert/strict";
import { join } from "node:path";
import { removeDatabase } from "../support/store/backing_up.ts";
import { Box } from "../support/process/box.ts";
import { examined, found } from "../support/commands/doctor.ts";
import { command, keyFile, refusal } from "../support/commands/kek_sources.ts";
import { unless } from "../support/faults/faults.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { must } from "../../scripts/program.ts";
import { sample, thoroughly } from "../support/process/sample.ts";

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

/** Later commands, each with what it does once it has found the KEK. */
const LATER: ((box: Box) => Promise<void>)[] = [
  async (box) => {
    const elsewhere = await box.run(["rotate", "--force"], { cwd: "/" });
    assert.equal(elsewhere.code, 0, elsewhere.stderr);
  },
  async (box) => assert.equal((await box.json("verify", await box.token())).valid, true),
  async (box) => {
    const given = await box.run(["exec", "--", "sh", "-c", 'test -n "$JWT_SECRET"']);
    assert.equal(given.code, 0, given.stderr);
  },
  async (box) => assert.ok((await examined(box)).healthy),
  async (box) => assert.match((await box.run(["status"])).stdout, /KEK .*\(remembered\)/),
  async (box) => {
    await using server = await Serving.start(box);
    assert.equal(await server.status(server.get("/healthz")), 200);
  },
];

// Each command that opens the database with a passphrase takes a second of a processor.
for (const [name, prepare] of Object.entries(NAMED)) {
  const isSlow = name.startsWith("REKEY_PASSPHRASE");
  const test = name === "REKEY_PASSPHRASE_COMMAND" ? thoroughly : Deno.test;
  test(`${name}: named once at init, every later command finds it`, async () => {
    using box = new Box();
    const { flags = [], env = {} } = prepare(box);
    const made = await box.run(["init", ...flags], { env });
    assert.equal(made.code, 0, made.stderr);
    const { kek } = await box.json("status");
    assert.deepEqual([kek.error, kek.generated, kek.remembered], [null, false, true]);
    for (const finds of sample(LATER, isSlow ? 5 : 1)) await finds(box);
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
    assert.equal((await box.run(["issue", "--sub", "a"])).code, 0);
  }
});
