import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { removeDatabase } from "../support/store/backing_up.ts";
import { Box } from "../support/process/box.ts";
import { haveUsers } from "../support/store/users.ts";

/** A machine with users and some history, and an ordinary backup of it; its KEK is then lost. */
async function lost(box: Box): Promise<{ token: string; kid: string }> {
  await box.run(["init", "--store", "database"]);
  await haveUsers(box, ["alice"]);
  await box.run(["policy", "set", "--audit-retention", "30d"]);
  await box.run(["rotate", "--force"]);
  const token = await box.token();
  const { kid } = await box.json("status");
  const { code, stderr } = await box.run(["backup", "b.db"]);
  assert.equal(code, 0, stderr);
  loseKek(box);
  return { token, kid };
}

function loseKek(box: Box): void {
  for (const path of [...box.files().keys()].filter((path) => path.endsWith(".kek"))) {
    Deno.removeSync(path);
  }
}

async function isSound(box: Box): Promise<void> {
  assert.equal((await box.json("audit", "verify")).valid, true);
  assert.equal((await box.json("verify", await box.token())).valid, true);
  // The key that tells that rekey has set a retention is lost.
  assert.equal((await box.json("policy", "show")).audit_retention_seconds, null);
  const rotated = await box.run(["rotate", "--force", "--json"]);
  assert.equal(JSON.parse(rotated.stdout).version, 4);
  assert.doesNotMatch(rotated.stderr, /not pruned/);
  assert.equal((await box.json("doctor")).healthy, true);
}

Deno.test("a fresh machine, an ordinary backup, a lost KEK: --new-secret works and says what does not come back", async () => {
  using box = new Box();
  const { token } = await lost(box);
  removeDatabase(box);
  const without = await box.run(["restore", "b.db", "--json"]);
  const { error } = JSON.parse(without.stderr);
  assert.deepEqual([without.code, error.code], [4, "kek_missing"]);
  assert.match(error.hint, /key file of that KEK back, or name it with --kek-file.*--new-secret/);

  const { code, stdout, stderr } = await box.run(["restore", "b.db", "--new-secret", "--json"]);
  assert.equal(code, 0, stderr);
  const { version, secret_from, not_restored } = JSON.parse(stdout);
  assert.deepEqual([version, secret_from], [3, "new"]);
  assert.match(not_restored.join("\n"), /every session[^]*audit log, which starts again/);
  assert.match(stderr, /not restored, since the KEK is lost: the audit log/);
  assert.equal((await box.json("verify", token)).code, "retired_kid", "known by name");
  const users = await box.run(["user", "list"]);
  assert.match(users.stdout, /alice/);
  const log = await box.run(["audit", "export"]);
  assert.match(log.stdout, /the KEK was lost, and with it the key of the log before/);
  await isSound(box);
});

Deno.test("a restoration with a new KEK that the operator names", async () => {
  using box = new Box();
  await lost(box);
  removeDatabase(box);
  const file = join(box.home, "new.key");
  Deno.writeTextFileSync(file, randomBytes(32).toString("base64"), { mode: 0o600 });
  box.env.REKEY_KEK_FILE = file;
  assert.equal((await box.json("restore", "b.db", "--new-secret")).secret_from, "new");
  assert.equal((await box.json("status")).kek.source, file);
  await isSound(box);
});

Deno.test("over the installation that lost its KEK: its database is kept, its numbers go on", async () => {
  using box = new Box();
  const { token } = await lost(box);
  const refused = await box.run(["restore", "b.db", "--force", "--json"]);
  assert.equal(JSON.parse(refused.stderr).error.code, "kek_missing");
  const { version, former_database, not_restored } = await box.json(
    ...["restore", "b.db", "--force", "--new-secret"],
  );
  assert.deepEqual([version, former_database], [3, `${box.database}.former`]);
  assert.match(not_restored.join("\n"), /\.former/);
  assert.equal(Deno.statSync(former_database).mode! & 0o777, 0o600);
  assert.equal((await box.json("verify", token)).code, "retired_kid");
  await isSound(box);
});

Deno.test("from an automatic copy, over the installation that lost its KEK", async () => {
  using box = new Box();
  await lost(box);
  const [copy] = [...box.files().keys()].filter((path) => path.endsWith(".backup"));
  const refused = await box.run(["restore", copy!, "--force", "--json"]);
  assert.match(JSON.parse(refused.stderr).error.hint, /--new-secret/);
  const { secret_from } = await box.json("restore", copy!, "--force", "--new-secret");
  assert.equal(secret_from, "new");
  assert.equal((await box.json("audit", "verify")).valid, true);
  assert.equal((await box.json("verify", await box.token())).valid, true);
});

Deno.test("nothing is discarded while the KEK is available", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  await box.run(["backup", "b.db"]);
  const { secret_from, not_restored } = await box.json(
    "restore",
    "b.db",
    "--force",
    "--new-secret",
  );
  assert.deepEqual([secret_from, not_restored], ["database", []]);
  assert.equal((await box.json("verify", token)).valid, true);
});
