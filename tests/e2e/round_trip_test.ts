import assert from "node:assert/strict";
import { join } from "node:path";
import { SignJWT } from "jose";
import { asLine, AWKWARD_TEXTS } from "../support/attacks/awkward_texts.ts";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";
import { removeDatabase } from "../support/store/backing_up.ts";
import { sql } from "../support/store/sql.ts";

/** A token as the application with this hard-coded secret signs it. */
function signed(text: string): Promise<string> {
  return new SignJWT({ sub: "old" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode(text));
}

/** The secret as a program gets it from `exec`, byte for byte. */
async function handedOn(box: Box): Promise<string> {
  const program = ["python3", "-c", "import os; print(os.environb[b'JWT_SECRET'].hex())"];
  const { code, stdout, stderr } = await box.run(["exec", "--", ...program]);
  assert.equal(code, 0, stderr);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.fromHex(stdout.trim()));
}

const IMPORT = ["import", "--alg", "HS256", "--allow-weak", "--json"];

// tests/unit/round_trip_test.ts has all of them through the functions that seal and open.
for (const [name, text] of sample(Object.entries(AWKWARD_TEXTS), 3)) {
  Deno.test(`${name}: what is imported is what is sealed, backed up, restored and handed on`, async () => {
    using box = new Box();
    const token = await signed(text);
    Deno.writeTextFileSync(join(box.home, "secret"), asLine(text));
    // A passphrase takes seconds; other tests have one.
    await box.exec("age-keygen", ["-o", join(box.home, "identity")]);
    const { stdout: recipient } = await box.exec("age-keygen", ["-y", join(box.home, "identity")]);
    const imported = await box.run([...IMPORT, "--file", "secret"]);
    assert.equal(imported.code, 0, imported.stderr);
    assert.equal(JSON.parse(imported.stdout).version, 1, "no number is used up before");
    assert.equal(await handedOn(box), text);
    assert.equal((await box.run(["kek", "rotate"])).code, 0);
    assert.equal((await box.json("verify", token)).valid, true);

    const backup = await box.run([
      "backup",
      "b.db",
      "--with-secret",
      "--recipient",
      recipient.trim(),
    ]);
    assert.equal(backup.code, 0, backup.stderr);
    removeDatabase(box);
    Deno.removeSync(join(box.home, ".config"), { recursive: true });
    const restored = await box.run(["restore", "b.db", "--identity-file", "identity", "--json"]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(JSON.parse(restored.stdout).secret_from, "envelope");
    assert.equal(await handedOn(box), text);
    assert.equal((await box.json("verify", token)).valid, true);
    assert.equal((await box.json("audit", "verify")).valid, true);
  });
}

Deno.test("the same by --from-env and on stdin", async () => {
  for (const text of [AWKWARD_TEXTS["a byte order mark"]!, AWKWARD_TEXTS["spaces around"]!]) {
    using box = new Box();
    const fromEnv = await box.run([...IMPORT, "--from-env", "OLD"], { env: { OLD: text } });
    assert.equal(fromEnv.code, 0, fromEnv.stderr);
    const again = await box.run(IMPORT, { stdin: asLine(text) });
    assert.equal(
      JSON.parse(again.stdout).imported,
      false,
      "it is the same text, so the same version",
    );
    assert.equal(await handedOn(box), text);
  }
});

Deno.test("a sealed value that the database does not keep as it was given is not counted on", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  // As another program's trigger could: rekey itself sets none.
  sql(
    box,
    `CREATE TRIGGER shout AFTER INSERT ON settings BEGIN
       UPDATE settings SET value = lower(value) WHERE key = new.key; END;
     CREATE TRIGGER shout_again AFTER UPDATE ON settings WHEN new.value <> lower(new.value) BEGIN
       UPDATE settings SET value = lower(value) WHERE key = new.key; END`,
  );
  for (const args of [["rotate", "--force", "--no-backup"], ["kek", "rotate"]]) {
    assert.notEqual((await box.run(args)).code, 0, args.join(" "));
  }
  sql(box, "DROP TRIGGER shout; DROP TRIGGER shout_again");
  assert.equal((await box.json("verify", token)).valid, true, "the old value is where it was");
});

Deno.test("an audit reason comes back as it was given, whatever text it is", async () => {
  using box = new Box();
  await box.run(["init"]);
  const reasons = Object.values(AWKWARD_TEXTS).filter(({ length }) => length < 200);
  for (const reason of reasons) {
    await box.run(["rotate", "--force", "--no-backup", "--reason", reason]);
  }
  const { stdout } = await box.run(["audit", "export"]);
  const rows = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const found = rows.filter(({ event }) => event === "JWT secret rotation completed");
  assert.deepEqual(found.map(({ reason }) => reason), reasons);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("a KEK command that gives another key each time is found before anything is sealed under it", async () => {
  for (
    const [name, command] of [
      ["REKEY_KEK_COMMAND", "head -c 32 /dev/urandom"],
      ["REKEY_PASSPHRASE_COMMAND", "head -c 24 /dev/urandom | base64"],
    ] as const
  ) {
    using box = new Box();
    const { code, stderr } = await box.run(["init", "--json"], { env: { [name]: command } });
    assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "kek_invalid"]);
    assert.match(stderr, /it differs each time/);
  }
});

Deno.test("a passphrase that is not text is refused, and not replaced by a weaker one", async () => {
  using box = new Box();
  Deno.writeFileSync(
    join(box.home, "passphrase"),
    Uint8Array.from([0xfc, 0xfd, 0xfe, 0xff, 0x0a]),
    { mode: 0o600 },
  );
  const env = { REKEY_PASSPHRASE_FILE: join(box.home, "passphrase") };
  const { code, stderr } = await box.run(["init", "--json"], { env });
  assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "kek_invalid"]);
  assert.match(stderr, /is not UTF-8/);
});
