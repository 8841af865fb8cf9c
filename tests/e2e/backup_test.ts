import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box, REKEY } from "../support/box.ts";
import { spellings } from "../support/leaks.ts";
import { openSealed } from "../support/sealed.ts";

const PASSPHRASE = "three ravens and an open window";

async function prepared(): Promise<{ box: Box; token: string; backup: string }> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  Deno.writeTextFileSync(join(box.home, "passphrase"), `${PASSPHRASE}\n`);
  return { box, token: await box.token(), backup: join(box.home, "backup.db") };
}

const WITH_PASSPHRASE = ["--passphrase-file", "passphrase"];

function removeDatabase(box: Box): void {
  for (const end of ["", "-wal", "-shm"]) {
    try {
      Deno.removeSync(box.database + end);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

Deno.test("a backup is one private file that restores a lost database on its machine", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const { code, stderr } = await box.run(["backup", backup]);
  assert.equal(code, 0, stderr);
  assert.equal(Deno.statSync(backup).mode! & 0o777, 0o600);
  assert.deepEqual([...box.files().keys()].filter((path) => path.includes("backup.db")), [backup]);
  removeDatabase(box);
  assert.equal((await box.run(["status"])).code, 4);
  const restored = await box.json("restore", backup);
  assert.deepEqual([restored.version, restored.secret_from], [1, "database"]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
  const rows = (await box.run(["audit", "export"])).stdout;
  assert.match(rows, /JWT secret restored/);
});

Deno.test("with the secret sealed in it a backup makes another machine anew", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const newer = await box.token();
  const made = await box.run(["backup", backup, "--with-secret", ...WITH_PASSPHRASE]);
  assert.equal(made.code, 0, made.stderr);
  const { value } = await openSealed(box);
  for (const spelling of spellings(value)) {
    assert.ok(!Buffer.from(Deno.readFileSync(backup)).includes(spelling), "plain in the backup");
  }

  removeDatabase(box);
  using other = new Box();
  Deno.copyFileSync(backup, join(other.home, "backup.db"));
  const without = await other.run(["restore", "backup.db"]);
  assert.equal(without.code, 4);
  assert.match(without.stderr, /--passphrase-file/);
  Deno.writeTextFileSync(join(other.home, "wrong"), "wrong");
  const wrong = await other.run(["restore", "backup.db", "--passphrase-file", "wrong"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /wrong passphrase/);
  assert.equal((await other.run(["status"])).code, 4, "nothing was made");

  Deno.writeTextFileSync(join(other.home, "passphrase"), PASSPHRASE);
  const restored = await other.json("restore", "backup.db", ...WITH_PASSPHRASE);
  assert.deepEqual([restored.version, restored.secret_from, restored.location], [
    2,
    "envelope",
    "database",
  ]);
  assert.equal((await other.json("verify", newer)).valid, true);
  assert.equal((await other.json("verify", token)).code, "retired_kid", "it may have been revoked");
  assert.equal((await other.json("audit", "verify")).valid, true);
  assert.equal((await other.json("rotate", "--force")).version, 3);
  assert.equal((await other.json("verify", newer)).code, "retired_kid");
});

Deno.test("age recipients: age itself opens what is in the backup, and an identity file restores it", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const identity = join(box.home, "identity");
  await box.exec("age-keygen", ["-o", identity]);
  const recipient = (await box.exec("age-keygen", ["-y", identity])).stdout.trim();
  const made = await box.run(["backup", backup, "--with-secret", "--recipient", recipient]);
  assert.equal(made.code, 0, made.stderr);
  const sqlite = new DatabaseSync(backup);
  const { value } = sqlite.prepare("SELECT value FROM rekey_backup WHERE key = 'secret'").get()!;
  sqlite.close();
  const opened = await box.exec("age", ["-d", "-i", identity], { stdin: String(value) });
  assert.equal(opened.code, 0, opened.stderr);
  assert.equal(JSON.parse(opened.stdout).versions[0].value, (await openSealed(box)).value);
  await box.run(["destroy", "--force"]);
  await box.json("restore", backup, "--identity-file", identity);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("restore refuses to overwrite, says what would verify again, and with --force forgets no version", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  const newer = await box.token();
  const refused = await box.run(["restore", backup]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /version 2; version 1, which was rotated away, would verify again/);
  assert.equal((await box.json("verify", newer)).version, 2);

  const restored = await box.json("restore", backup, "--force");
  assert.deepEqual([restored.version, restored.replaced_version], [1, 2]);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("verify", newer)).code, "retired_kid");
  assert.equal((await box.json("rotate", "--force")).version, 3, "no number is used twice");
  const rows = (await box.run(["audit", "export"])).stdout;
  assert.match(rows, /security-incident/, "the log of what was replaced goes on");
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("a damaged database is moved aside and the backup put in its place", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  removeDatabase(box);
  Deno.writeTextFileSync(box.database, "this is no database at all".repeat(400));
  const refused = await box.run(["restore", backup]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /restore --force/);
  const { damaged_database } = await box.json("restore", backup, "--force");
  assert.match(Deno.readTextFileSync(damaged_database), /no database at all/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("what is no sound backup of this app is refused and changes nothing", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const bytes = Deno.readFileSync(backup);
  const cases: [string, (path: string) => void][] = [
    ["junk", (path) => Deno.writeTextFileSync(path, "junk".repeat(5_000))],
    ["empty", (path) => Deno.writeTextFileSync(path, "")],
    ["cut", (path) => Deno.writeFileSync(path, bytes.subarray(0, bytes.length / 2))],
    ["changed log", (path) => change(path, "UPDATE rekey_audit SET actor = 'eve' WHERE seq = 1")],
    ["no current version", (path) => change(path, "UPDATE rekey_versions SET state = 'retired'")],
    ["other app", (path) => change(path, "UPDATE rekey_meta SET value = 'x' WHERE key = 'app'")],
    ["trigger", (path) =>
      change(
        path,
        "CREATE TRIGGER t AFTER INSERT ON rekey_audit BEGIN DELETE FROM rekey_versions; END",
      )],
    ["newer", (path) => change(path, "PRAGMA user_version = 99")],
    ["no log", (path) => change(path, "DELETE FROM rekey_audit")],
    [
      "no audit key",
      (path) =>
        change(path, "DELETE FROM rekey_audit; DELETE FROM rekey_meta WHERE key = 'audit_key'"),
    ],
    ["no algorithm", (path) => change(path, "DELETE FROM rekey_meta WHERE key = 'alg'")],
    ["no sessions", (path) => change(path, "DROP TABLE rekey_sessions")],
    ["another index", (path) => change(path, "CREATE INDEX rekey_x ON rekey_audit (time)")],
    [
      "a number beyond reason",
      (path) =>
        change(
          path,
          "PRAGMA foreign_keys = OFF; UPDATE rekey_versions SET version = 9007199254740991",
        ),
    ],
    ["other kid", (path) => change(path, "UPDATE rekey_versions SET kid = 'AAAAAAAAAAAAAAAA'")],
  ];
  for (const [name, make] of cases) {
    const path = join(box.home, name);
    Deno.writeFileSync(path, bytes);
    make(path);
    removeStage(box);
    const { code, stderr } = await box.run(["restore", path, "--force"]);
    assert.ok(code === 1 || code === 4, `${name}: ${code} ${stderr}`);
    assert.doesNotMatch(stderr, /Internal/, name);
    assert.equal((await box.json("verify", token)).valid, true, name);
  }
  assert.deepEqual(leftovers(box), []);
});

Deno.test("a forged envelope does not bring a secret of somebody else's choice", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const identity = join(box.home, "identity");
  await box.exec("age-keygen", ["-o", identity]);
  const recipient = (await box.exec("age-keygen", ["-y", identity])).stdout.trim();
  await box.run(["backup", backup, "--with-secret", "--recipient", recipient]);
  const { kid } = await box.json("status");
  const versions = [{ version: 1, kid, value: `${"A".repeat(86)}==` }];
  const contents = { app: "agiworkforce", audit_key: `${"A".repeat(43)}=`, versions };
  const armored = (await box.exec("age", ["-a", "-r", recipient], {
    stdin: JSON.stringify(contents),
  })).stdout;
  change(
    backup,
    `UPDATE rekey_backup SET value = '${armored}' WHERE key = 'secret'; DELETE FROM settings`,
  );
  const { code, stderr } = await box.run([
    "restore",
    backup,
    "--force",
    "--identity-file",
    identity,
  ]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /is not version 1/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("what a killed restoration leaves is gone after the next rotation", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const inject = "inject=fsync,fdatasync:signal=SIGKILL:when=4";
  const flags = ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", inject, "-o", "/dev/null"];
  const killed = await box.exec("strace", [...flags, REKEY, "restore", backup, "--force"]);
  assert.equal(killed.code, 137);
  assert.notDeepEqual(leftovers(box), [], "the kill must leave something");
  await box.run(["rotate", "--force", "--reason", "security-incident"]);
  assert.deepEqual(leftovers(box), []);
});

Deno.test("a backup overwrites nothing, and one that fails leaves nothing", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  Deno.writeTextFileSync(backup, "mine");
  const { code, stderr } = await box.run(["backup", backup]);
  assert.equal(code, 1);
  assert.match(stderr, /there already/);
  assert.equal(Deno.readTextFileSync(backup), "mine");
  for (const path of ["/nowhere/at/all", "/proc/backup", ""]) {
    const failed = await box.run(["backup", path]);
    assert.ok([2, 4].includes(failed.code), `${path}: ${failed.code}`);
    assert.doesNotMatch(failed.stderr, /Internal/);
  }
  for (
    const args of [
      [...WITH_PASSPHRASE],
      ["--with-secret", "--recipient", "age1nonsense"],
      ["--with-secret"],
      ["--with-secret", "--recipients-file", "nowhere"],
      ["--with-secret", "--recipient", "age1x", ...WITH_PASSPHRASE],
    ]
  ) {
    assert.equal((await box.run(["backup", "new.db", ...args])).code, 2, args.join(" "));
  }
  assert.deepEqual(leftovers(box), []);
});

Deno.test("the last five automatic copies are kept, without values, and bring the versions back", async () => {
  const { box } = await prepared();
  using _ = box;
  const values: string[] = [];
  for (let i = 0; i < 7; i++) {
    values.push((await openSealed(box)).value);
    await box.run(["rotate", "--force"]);
  }
  const copies = [...box.files().keys()].filter((path) => /\.v\d+\.backup$/.test(path)).sort();
  assert.deepEqual(copies, [3, 4, 5, 6, 7].map((version) => `${box.database}.v${version}.backup`));
  for (const path of copies) {
    const sqlite = new DatabaseSync(path);
    assert.deepEqual(sqlite.prepare("SELECT * FROM settings").all(), []);
    const keys = sqlite.prepare("SELECT key FROM rekey_meta ORDER BY key").all();
    assert.deepEqual(keys.map(({ key }) => key), ["alg", "app", "id", "key_form", "store"]);
    sqlite.close();
    const content = Buffer.from(Deno.readFileSync(path));
    for (const value of values) {
      for (const spelling of spellings(value)) assert.ok(!content.includes(spelling), path);
    }
  }

  const retired = await box.token();
  removeDatabase(box);
  const lost = await box.run(["restore", copies[4]!]);
  assert.equal(lost.code, 4);
  assert.match(lost.stderr, /--new-secret/);
  const { version, secret_from } = await box.json("restore", copies[4]!, "--new-secret");
  assert.deepEqual([version, secret_from], [8, "new"]);
  assert.equal((await box.json("verify", await box.token())).valid, true);
  assert.equal((await box.json("verify", retired)).valid, false);
  assert.equal((await box.json("audit", "verify")).valid, true);
  await box.run(["rotate", "--force", "--no-backup"]);
  assert.ok(![...box.files().keys()].includes(`${box.database}.v8.backup`));
  await box.run(["destroy", "--force"]);
  assert.deepEqual([...box.files().keys()].filter((path) => path.includes(".backup")), []);
});

Deno.test("an application's own tables stay when rekey's are restored", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  change(box.database, "CREATE TABLE notes (text); INSERT INTO notes VALUES ('old')");
  await box.run(["backup", backup]);
  change(
    box.database,
    "UPDATE notes SET text = 'new'; INSERT INTO settings VALUES ('theme', 'dark', 0)",
  );
  await box.run(["rotate", "--force"]);
  await box.run(["restore", backup, "--force"]);
  const sqlite = new DatabaseSync(box.database);
  assert.equal(sqlite.prepare("SELECT text FROM notes").get()?.text, "new");
  assert.equal(
    sqlite.prepare("SELECT value FROM settings WHERE key = 'theme'").get()?.value,
    "dark",
  );
  sqlite.close();
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a restoration of many rows, on the binary", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const many = 300_000;
  change(
    box.database,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
       INSERT INTO rekey_sessions SELECT 'jti-' || i, 1, 'user', 0, 9e15, NULL FROM n`,
  );
  await box.run(["backup", backup]);
  await box.run(["rotate", "--force"]);
  const { code, stderr } = await box.run(["restore", backup, "--force"]);
  assert.equal(code, 0, stderr);
  const database = new DatabaseSync(box.database);
  const { count } = database.prepare("SELECT count(*) AS count FROM rekey_sessions").get()!;
  database.close();
  assert.equal(count, many + 1);
  assert.equal((await box.json("status")).sessions_active, 100_000, "no more are counted");
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a write-ahead log of a lost database is not taken for the restored one's", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const sqlite = new DatabaseSync(box.database);
  sqlite.exec("UPDATE rekey_meta SET value = 'x' WHERE key = 'app'");
  const log = Deno.readFileSync(`${box.database}-wal`);
  sqlite.close();
  assert.ok(log.length > 0);
  removeDatabase(box);
  Deno.writeFileSync(`${box.database}-wal`, log);
  assert.equal((await box.run(["restore", backup])).code, 0);
  assert.equal((await box.json("verify", token)).valid, true);
  const beside = await box.run(["backup", join(box.home, "b2.db")]);
  assert.equal(beside.code, 0);
  Deno.writeFileSync(join(box.home, "b2.db-wal"), log);
  const refused = await box.run(["restore", join(box.home, "b2.db"), "--force"]);
  assert.match(refused.stderr, /write-ahead log lies beside it/);
});

Deno.test("a session that was ended after the backup stays ended", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const { token, jti } = await box.json("issue", "--sub", "late");
  change(box.database, `UPDATE rekey_sessions SET revoked_at = 1 WHERE jti = '${jti}'`);
  assert.equal((await box.json("verify", token)).code, "revoked");
  await box.run(["restore", backup, "--force"]);
  assert.equal((await box.json("verify", token)).code, "revoked");
});

Deno.test("a lost key file: a backup with the secret sealed in it replaces what cannot be opened", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup, "--with-secret", ...WITH_PASSPHRASE]);
  for (const path of box.files().keys()) if (path.endsWith(".kek")) Deno.removeSync(path);
  assert.equal((await box.run(["status"])).code, 4);
  const restored = await box.run(["restore", backup, "--force", ...WITH_PASSPHRASE]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("damage behind the header is damage too: restore --force moves it aside", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["backup", backup]);
  const bytes = Deno.readFileSync(box.database);
  for (let page = 3; page < 9; page++) {
    const damaged = bytes.slice();
    damaged.fill(0xaa, page * 4_096, page * 4_096 + 200);
    removeDatabase(box);
    Deno.writeFileSync(box.database, damaged, { mode: 0o600 });
    const { code, stderr } = await box.run(["restore", backup, "--force"]);
    assert.equal(code, 0, `page ${page}: ${stderr}`);
    assert.equal((await box.json("verify", token)).valid, true);
  }
});

function change(path: string, sql: string): void {
  const sqlite = new DatabaseSync(path);
  sqlite.exec(sql);
  sqlite.close();
}

function removeStage(box: Box): void {
  assert.deepEqual(leftovers(box), []);
}

/** Files that something unfinished has left. */
function leftovers(box: Box): string[] {
  return [...box.files().keys()].filter((path) => /\/\.(rekey-restore|\w+\.db\.)/.test(path));
}
