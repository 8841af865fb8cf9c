import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { later, started } from "../support/commands/standby.ts";

Deno.test("a backup holds the prepared version; one that was dropped or used since does not come back", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const backup = join(box.home, "backup.db");
  assert.equal((await box.run(["backup", backup])).code, 0);

  assert.equal((await box.run(["restore", backup, "--force"])).code, 0);
  assert.equal((await box.json("status")).prepared.kid, kid, "put back over itself");
  await box.json("rotate", "--activate", "--force");
  await box.json("rotate", "--force");
  assert.equal((await box.run(["restore", backup, "--force"])).code, 0);
  assert.equal((await box.json("status")).prepared, null, "it was used, and ended");
  assert.equal((await box.run(["rotate", "--activate", "--force"])).code, 1);
});

Deno.test("a backup with the secret brings the prepared version to another machine", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const phrase = join(box.home, "phrase");
  Deno.writeTextFileSync(phrase, "correct horse battery staple");
  const backup = join(box.home, "backup.db");
  const made = await box.run(["backup", backup, "--with-secret", "--passphrase-file", phrase]);
  assert.equal(made.code, 0, made.stderr);
  using other = new Box({ REKEY_STORE: "database" });
  Deno.copyFileSync(backup, join(other.home, "backup.db"));
  const restored = await other.run(["restore", "backup.db", "--passphrase-file", phrase]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await other.json("status")).prepared.kid, kid);
  assert.equal((await other.json("rotate", "--activate", "--force")).kid, kid);
  assert.equal((await other.json("verify", await other.token())).kid, kid);
});

Deno.test("a prepared version that a backup brings back counts from then on: no set had it meanwhile", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const backup = join(box.home, "backup.db");
  assert.equal((await box.run(["backup", backup])).code, 0);
  // The same database: it has been in the set all the time.
  assert.equal((await later(box, "+1h", "restore", backup, "--force")).code, 0);
  assert.equal((await later(box, "+1h", "rotate", "--activate", "--grace", "1h")).code, 0);
  // The database is gone, and with it what its sets had.
  for (const end of ["", "-wal", "-shm"]) await box.exec("rm", ["-f", box.database + end]);
  assert.equal((await later(box, "+2h", "restore", backup)).code, 0);
  const refused = await later(box, "+2h", "rotate", "--activate");
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /before .*: until then verifiers may keep a set/);
  const done = await later(box, "+131m", "rotate", "--activate", "--grace", "1h", "--json");
  assert.equal(done.code, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).kid, kid);
});

Deno.test("a backup with a shorter max-age does not shorten what verifiers keep", async () => {
  using box = await started();
  const backup = join(box.home, "backup.db");
  assert.equal((await box.run(["backup", backup])).code, 0);
  assert.equal((await box.run(["policy", "set", "--jwks-max-age", "4h"])).code, 0);
  const restored = await box.run(["restore", backup, "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  const { activatable_at } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const hours = (Date.parse(activatable_at) - Date.now()) / 3_600_000;
  assert.ok(hours > 3.9 && hours < 4.1, activatable_at);
});
