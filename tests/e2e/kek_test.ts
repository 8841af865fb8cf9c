import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { query } from "../support/store/sql.ts";

/** Each way to supply a KEK: its files in the box, and what the environment says. */
const SOURCES: Record<string, (box: Box) => Record<string, string>> = {
  "REKEY_KEK_FILE, base64": (box) => {
    write(box, "kek", `${randomBytes(32).toString("base64")}\n`);
    return { REKEY_KEK_FILE: join(box.home, "kek") };
  },
  "REKEY_KEK_FILE, raw bytes": (box) => {
    write(box, "kek", randomBytes(32));
    return { REKEY_KEK_FILE: join(box.home, "kek") };
  },
  "REKEY_KEK_COMMAND": () => ({ REKEY_KEK_COMMAND: `echo ${"ab".repeat(32)}` }),
  "a systemd credential": (box) => {
    Deno.mkdirSync(join(box.home, "credentials"));
    write(box, "credentials/rekey-kek", randomBytes(32).toString("hex"));
    return { CREDENTIALS_DIRECTORY: join(box.home, "credentials") };
  },
  "REKEY_PASSPHRASE_FILE": (box) => {
    write(box, "passphrase", "correct horse battery staple\n");
    return { REKEY_PASSPHRASE_FILE: join(box.home, "passphrase") };
  },
  "REKEY_PASSPHRASE_COMMAND": () => ({ REKEY_PASSPHRASE_COMMAND: "printf 'correct horse'" }),
};

function write(box: Box, name: string, data: string | Uint8Array): void {
  Deno.writeFileSync(join(box.home, name), Buffer.from(data), { mode: 0o600 });
}

for (const [name, prepare] of Object.entries(SOURCES)) {
  Deno.test(`${name}: the database opens with it and not without it`, async () => {
    using box = new Box();
    const env = prepare(box);
    assert.equal((await box.run(["init"], { env })).code, 0);
    // Each command that opens the database with a passphrase takes a second of a processor.
    const rotates = THOROUGH || !name.startsWith("REKEY_PASSPHRASE");
    if (rotates) assert.equal((await box.run(["rotate", "--force"], { env })).code, 0);
    const { stdout } = await box.run(["status", "--json"], { env });
    const { kek, version } = JSON.parse(stdout);
    assert.deepEqual([version, kek.generated], [rotates ? 2 : 1, false]);
    assert.ok(
      ![...box.files().keys()].some((path) => path.endsWith(".kek")),
      "no key file is made",
    );
    // rekey remembers the path of the file, and reports that the file is missing.
    for (const file of ["kek", "passphrase"].map((name) => join(box.home, name))) {
      if (box.files().has(file)) Deno.removeSync(file);
    }
    const without = await box.run(["status", "--json"]);
    assert.deepEqual([without.code, JSON.parse(without.stderr).error.code], [4, "kek_missing"]);
  });
}

Deno.test("another KEK, or a text that is not a KEK, is refused", async () => {
  using box = new Box();
  write(box, "right", randomBytes(32));
  write(box, "wrong", randomBytes(32));
  write(box, "none", "too short");
  const run = (file: string) => box.run(["status", "--json", "--kek-file", join(box.home, file)]);
  await box.run(["init", "--kek-file", join(box.home, "right")]);
  assert.equal((await run("right")).code, 0);
  for (
    const [file, code] of [["wrong", "kek_wrong"], ["none", "kek_invalid"], [
      "absent",
      "kek_missing",
    ]] as const
  ) {
    const { code: exit, stderr } = await run(file);
    assert.deepEqual([exit, JSON.parse(stderr).error.code], [4, code]);
  }
});

Deno.test("a missing generated key file is reported, not made again", async () => {
  using box = new Box();
  await box.run(["init"]);
  const [keyFile] = [...box.files().keys()].filter((path) => path.endsWith(".kek"));
  Deno.renameSync(keyFile!, `${keyFile}.away`);
  for (const args of [["status"], ["rotate", "--force"], ["issue", "--sub", "a"], ["init"]]) {
    const { code, stderr } = await box.run([...args, "--json"]);
    assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "kek_missing"]);
  }
  Deno.renameSync(`${keyFile}.away`, keyFile!);
  assert.equal((await box.json("status")).version, 1);
});

Deno.test("a pipe or a folder in place of a key file is refused at once", async () => {
  using box = new Box();
  await box.exec("/usr/bin/mkfifo", [join(box.home, "pipe")]);
  for (const name of ["pipe", ".", ""]) {
    const { code, stderr } = await box.run(["init", "--kek-file", name && join(box.home, name)]);
    assert.equal(code, name === "" ? 2 : 4, stderr);
  }
});

Deno.test("a KEK command that hangs does not hang rekey", async () => {
  using box = new Box();
  const { code, stderr } = await box.run(["init"], { env: { REKEY_KEK_COMMAND: "exec sleep 60" } });
  assert.equal(code, 4);
  assert.match(stderr, /did not end within 10 s/);
});

/** The sealed values of a database. */
function sealed(box: Box): string[] {
  const rows = query(
    box,
    "SELECT value FROM settings UNION ALL SELECT value FROM rekey_meta WHERE key = 'audit_key'",
  );
  return rows.map(({ value }) => String(value));
}

function keyFiles(box: Box): string[] {
  return [...box.files().keys()].filter((path) => path.endsWith(".kek"));
}

Deno.test("kek rotate seals every value again; the old KEK opens nothing, and its file is deleted", async () => {
  using box = new Box();
  await box.run(["init"]);
  const tokens = [await box.token()];
  await box.run(["rotate", "--force", "--grace", "1h"]);
  tokens.push(await box.token());
  const [oldFile] = keyFiles(box);
  const oldKey = Deno.readFileSync(oldFile!);
  const before = sealed(box);
  assert.equal(before.length, 3);

  const { kek } = await box.json("kek", "rotate");
  const after = sealed(box);
  assert.equal(new Set([...before, ...after]).size, 6, "every value has changed");
  const kids = after.map((jwe) =>
    JSON.parse(Buffer.from(jwe.split(".")[0]!, "base64url").toString()).kid
  );
  assert.deepEqual(new Set(kids), new Set([kek.id]));
  assert.deepEqual(keyFiles(box), [kek.source]);
  for (const token of tokens) assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
  for (const jwe of before) {
    for (const [path, bytes] of box.files()) {
      assert.ok(!Buffer.from(bytes).includes(jwe.slice(-60)), `an old sealed value is in ${path}`);
    }
  }
  Deno.writeFileSync(`${box.home}/old`, oldKey);
  const { code, stderr } = await box.run(["status", "--json", "--kek-file", `${box.home}/old`]);
  assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "kek_wrong"]);
});

Deno.test("kek rotate moves to a KEK that the operator supplies", async () => {
  using box = new Box();
  await box.run(["init"]);
  write(box, "kek", randomBytes(32));
  const file = join(box.home, "kek");
  assert.equal((await box.json("kek", "rotate", "--to-kek-file", file)).kek.generated, false);
  assert.deepEqual(keyFiles(box), []);
  assert.deepEqual((await box.json("status")).kek.source, file);
  assert.equal((await box.run(["rotate", "--force", "--kek-file", file])).code, 0);
  const none = await box.run([
    "kek",
    "rotate",
    "--kek-file",
    file,
    "--to-kek-file",
    "/none",
    "--json",
  ]);
  assert.deepEqual([none.code, JSON.parse(none.stderr).error.code], [4, "kek_missing"]);
  assert.equal((await box.run(["status", "--kek-file", file])).code, 0);
});

Deno.test("a KEK command that fails is reported with its status", async () => {
  using box = new Box();
  const { code, stderr } = await box.run(["init"], { env: { REKEY_KEK_COMMAND: "exit 7" } });
  assert.equal(code, 4);
  assert.match(stderr, /status 7/);
});
