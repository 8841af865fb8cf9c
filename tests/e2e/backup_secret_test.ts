import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import {
  ageFlags,
  PASSPHRASE,
  prepared,
  removeDatabase,
  WITH_PASSPHRASE,
} from "../support/store/backing_up.ts";
import { Box } from "../support/process/box.ts";
import { spellings } from "../support/leaks/leaks.ts";
import { openSealed } from "../support/store/sealed.ts";
import { queryRow, sql } from "../support/store/sql.ts";

Deno.test("a backup with the sealed secret restores everything on another machine", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const newer = await box.token();
  const made = await box.run(["backup", backup, "--with-secret", ...WITH_PASSPHRASE]);
  assert.equal(made.code, 0, made.stderr);
  assert.doesNotMatch(made.stderr, /other users/);
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
  Deno.chmodSync(join(other.home, "wrong"), 0o644);
  const wrong = await other.run(["restore", "backup.db", "--passphrase-file", "wrong"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /passphrase or identity is wrong/);
  assert.match(
    wrong.stderr,
    /warning: only a folder keeps other users from reading wrong \(mode 0644\); `chmod /,
  );
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
  const { value } = queryRow(backup, "SELECT value FROM rekey_backup WHERE key = 'secret'")!;
  const opened = await box.exec("age", ["-d", "-i", identity], { stdin: String(value) });
  assert.equal(opened.code, 0, opened.stderr);
  assert.equal(JSON.parse(opened.stdout).versions[0].value, (await openSealed(box)).value);
  await box.run(["destroy", "--force"]);
  await box.json("restore", backup, "--identity-file", identity);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a forged envelope does not bring in a secret that someone else chose", async () => {
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
  sql(
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

Deno.test("a lost key file: a backup with the sealed secret replaces what cannot be opened", async () => {
  const { box, token, backup } = await prepared();
  using _ = box;
  const age = await ageFlags(box);
  await box.run(["backup", backup, "--with-secret", ...age.seal]);
  for (const path of box.files().keys()) if (path.endsWith(".kek")) Deno.removeSync(path);
  assert.equal((await box.run(["status"])).code, 4);
  const restored = await box.run(["restore", backup, "--force", ...age.open]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
});
