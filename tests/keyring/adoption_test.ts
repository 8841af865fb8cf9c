import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { SignJWT } from "jose";
import { Box } from "../support/process/box.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { connect } from "../support/store/sql.ts";
import { ForeignKeys, signedBy } from "../support/commands/foreign_keys.ts";

const newValue = () => randomBytes(64).toString("base64");

/** A token as the older application signed it: no kid, the base64 text as the key. */
function oldToken(value: string): Promise<string> {
  return new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "HS512" })
    .setExpirationTime("1h").sign(new TextEncoder().encode(value));
}

/** The database as the older application left it, with traces of the value in unused pages. */
function oldDatabase(box: Box, value: string): void {
  Deno.mkdirSync(dirname(box.database), { recursive: true });
  const sqlite = connect(box);
  sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA secure_delete = OFF;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, encrypted INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE gone (text TEXT); CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('kept')`);
  const setting = sqlite.prepare("INSERT OR REPLACE INTO settings VALUES (?, ?, 1)");
  const gone = sqlite.prepare("INSERT INTO gone VALUES (?)");
  for (let i = 0; i < 200; i++) gone.run(value), setting.run(`copy ${i}`, value);
  sqlite.exec(
    "DROP TABLE gone; DELETE FROM settings; INSERT INTO settings VALUES ('theme', 'dark', 0)",
  );
  setting.run("jwt_secret", value);
  sqlite.close();
  assert.ok(Buffer.from(Deno.readFileSync(box.database)).includes(value.slice(0, 84)));
}

for (const first of ["verify", "init"]) {
  Deno.test(`${first} adopts the older application's row, and no plain copy stays`, async () => {
    using box = new Box();
    const value = newValue();
    oldDatabase(box, value);
    const token = await oldToken(value);
    if (first === "init") assert.equal((await box.run(["init"])).code, 0);
    const verified = await box.json("verify", token);
    assert.deepEqual([verified.valid, verified.version], [true, 1]);
    assertNowhere(box, spellings(value));
    const sqlite = connect(box);
    assert.equal(
      sqlite.prepare("SELECT value FROM settings WHERE key = 'theme'").get()!.value,
      "dark",
    );
    const row = sqlite.prepare("SELECT * FROM settings WHERE key = 'jwt_secret'").get() as Record<
      string,
      unknown
    >;
    assert.equal(row.encrypted, 1);
    assert.match(String(row.value), /^[\w-]+(\.[\w-]+){4}$/);
    assert.equal((sqlite.prepare("SELECT text FROM notes").get() as { text: string }).text, "kept");
    sqlite.close();
    await box.run(["rotate", "--force"]);
    assert.equal((await box.json("verify", token)).code, "bad_signature");
  });
}

Deno.test("tables of the application that refer to its settings keep their rows", async () => {
  for (const [action, kind] of [["CASCADE", ""], ["SET NULL", ""], ["RESTRICT", "WITHOUT ROWID"]]) {
    using box = new Box();
    Deno.mkdirSync(dirname(box.database), { recursive: true });
    using sqlite = connect(box);
    sqlite.exec(`
      CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, encrypted INTEGER) ${kind};
      CREATE TABLE shown (setting TEXT NOT NULL REFERENCES settings ON DELETE ${action});
      INSERT INTO settings VALUES ('theme', 'dark', 0), ('jwt_secret', '${newValue()}', 0);
      INSERT INTO shown VALUES ('theme')`);
    for (const args of [["init"], ["rotate", "--force"]]) {
      const { code, stderr } = await box.run(args);
      assert.equal(code, 0, `${action} ${kind}: ${stderr}`);
    }
    assert.equal(sqlite.prepare("SELECT setting FROM shown").get()?.setting, "theme", action);
  }
});

Deno.test("a row that is not a secret is refused and left alone", async () => {
  using box = new Box();
  oldDatabase(box, newValue());
  const sqlite = connect(box);
  sqlite.exec("UPDATE settings SET value = 'c29tZXRoaW5nIGVsc2U='");
  for (const args of [["init"], ["status"], ["rotate", "--force"]]) {
    const { code, stderr } = await box.run([...args, "--json"]);
    assert.equal(code, 4);
    assert.equal(JSON.parse(stderr).error.code, "secret_damaged");
  }
  const row = sqlite.prepare("SELECT value FROM settings WHERE key = 'jwt_secret'").get() as {
    value: string;
  };
  assert.equal(row.value, "c29tZXRoaW5nIGVsc2U=");
  sqlite.close();
});

Deno.test("the older application's keyring entry is adopted where it is", async () => {
  await using box = await KeyringBox.start();
  const value = newValue();
  await box.store(value);
  const verified = await box.json("verify", await oldToken(value));
  assert.deepEqual([verified.valid, verified.version], [true, 1]);
  const { location, version } = await box.json("status");
  assert.deepEqual([location, version], ["keyring", 1]);
  assert.equal(await box.lookup(), value);
  assertNowhere(box, spellings(value));
});

Deno.test("with an entry and a row the entry counts, and the row does not stay", async () => {
  await using box = await KeyringBox.start();
  const [entry, row] = [newValue(), newValue()];
  await box.store(entry);
  oldDatabase(box, row);
  assert.equal((await box.json("init")).location, "keyring");
  assert.equal((await box.json("verify", await oldToken(entry))).valid, true);
  assert.equal((await box.json("verify", await oldToken(row))).code, "bad_signature");
  assertNowhere(box, spellings(row));
  assertNowhere(box, spellings(entry));
});

Deno.test("a row is not adopted while the keyring is locked: the entry may differ", async () => {
  await using box = await KeyringBox.start();
  const [entry, row] = [newValue(), newValue()];
  await box.store(entry);
  oldDatabase(box, row);
  await box.lock();
  for (const args of [["status"], ["init"], ["rotate", "--force"]]) {
    assert.equal((await box.run(args)).code, 4);
  }
  await box.unlock();
  assert.equal((await box.json("verify", await oldToken(entry))).valid, true);
});

Deno.test("init tells how an adopted secret is used, and nothing else changes that", async () => {
  await using box = await KeyringBox.start();
  await box.store(newValue());
  assert.equal((await box.json("status")).alg, "HS512");
  assert.equal((await box.run(["init", "--alg", "HS256"])).code, 0);
  assert.equal((await box.json("status")).alg, "HS256");
  await box.run(["rotate", "--force"]);
  const { code, stderr } = await box.run(["init", "--alg", "HS384"]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot change/);
});

Deno.test("a keyring entry that is not a secret is neither adopted nor overwritten", async () => {
  await using box = await KeyringBox.start();
  await box.store("something else");
  const { code, stderr } = await box.run(["init", "--json"]);
  assert.equal(code, 4);
  assert.equal(JSON.parse(stderr).error.code, "secret_damaged");
  assert.equal(await box.lookup(), "something else");
});

Deno.test("a PEM file that an application keeps in the keyring is imported as the hint says", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256");
  await using box = await KeyringBox.start();
  await box.store(pem);
  for (const args of [["init"], ["import", "--file", keys.path("ES256.pem")]]) {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 4);
    assert.match(
      stderr,
      /nor a key pair of rekey's\nhint: .*delete it there and run `rekey import/,
    );
    assert.equal(await box.lookup(), pem);
  }
  await box.clear();
  assert.equal((await box.json("import", "--file", keys.path("ES256.pem"))).location, "keyring");
  assert.equal((await box.json("verify", signedBy(pem, "ES256"))).valid, true);
});
