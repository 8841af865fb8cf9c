import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box } from "../support/process/box.ts";
import { ageFlags, removeDatabase } from "../support/store/backing_up.ts";
import { haveUsers } from "../support/store/users.ts";

/** A machine with a user, a backup of it and a token that the backup's secret verifies. */
async function backedUp(box: Box): Promise<{ token: string; kekFile: string; kek: string }> {
  await box.run(["init", "--store", "database"]);
  await haveUsers(box, ["alice"]);
  await box.run(["rotate", "--force"]);
  const { code, stderr } = await box.run(["backup", "b.db"]);
  assert.equal(code, 0, stderr);
  const { kek } = await box.json("status");
  return { token: await box.token(), kekFile: kek.source, kek: kek.id };
}

/** As docs/incidents.md says for a database that is gone. @returns the id of the new KEK. */
async function fromAutomaticCopy(box: Box): Promise<string> {
  removeDatabase(box);
  await box.json("restore", `${box.database}.v1.backup`, "--new-secret");
  return (await box.json("status")).kek.id;
}

async function refusal(box: Box, ...args: string[]) {
  const { code, stderr } = await box.run(["restore", ...args, "--force", "--json"]);
  return { exit: code, ...JSON.parse(stderr).error } as Record<string, string>;
}

async function isBack(box: Box, token: string): Promise<void> {
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
  assert.match((await box.run(["user", "list"])).stdout, /alice/);
  assert.equal((await box.json("doctor")).healthy, true);
}

function changeLog(path: string): void {
  using sqlite = new DatabaseSync(path);
  sqlite.exec("UPDATE rekey_audit SET reason = 'changed' WHERE seq = 2");
}

Deno.test("a backup comes back over a database that came from an automatic copy and has another KEK", async () => {
  using box = new Box();
  const { token } = await backedUp(box);
  const kek = await fromAutomaticCopy(box);
  const newer = await box.token();
  const restored = await box.json("restore", "b.db", "--force");
  assert.equal(restored.secret_from, "database");
  assert.match(restored.not_restored.join(), /audit log, which stays in the backup/);
  await isBack(box, token);
  assert.equal((await box.json("status")).kek.id, kek, "its own log and its KEK go on");
  assert.equal((await box.json("verify", newer)).code, "retired_kid");
  await box.run(["user", "remove", "alice", "--force"]);
  await box.json("restore", "b.db", "--force");
  assert.doesNotMatch((await box.run(["user", "list"])).stdout, /alice/, "she was removed here");
});

Deno.test("a changed backup is refused over a database with another KEK, also with --new-secret", async () => {
  using box = new Box();
  await backedUp(box);
  await fromAutomaticCopy(box);
  changeLog(join(box.home, "b.db"));
  for (const more of [[], ["--new-secret"]]) {
    const { code, message } = await refusal(box, "b.db", ...more);
    assert.equal(code, "backup_unusable");
    assert.match(message!, /audit log is broken at row 2/);
  }
});

Deno.test("a backup whose KEK is not here is not taken unchecked: the error names both KEKs and the key file", async () => {
  using box = new Box();
  const { token, kek, kekFile } = await backedUp(box);
  const age = await ageFlags(box);
  await box.run(["backup", "sealed.db", "--with-secret", ...age.seal]);
  const there = await fromAutomaticCopy(box);
  Deno.renameSync(kekFile, join(box.home, "away"));
  const attempts = [["b.db"], ["b.db", "--new-secret"], ["sealed.db", ...age.open]];
  for (const args of attempts) {
    const { code, message, hint } = await refusal(box, ...args);
    assert.equal(code, "kek_missing", args.join(" "));
    assert.ok(message!.includes(kek) && message!.includes(there), message);
    assert.ok(hint!.includes(`Put the key file back as ${kekFile}`), hint);
    assert.match(hint!, /move this database aside and restore again, with --new-secret/);
  }
  Deno.renameSync(join(box.home, "away"), kekFile);
  await box.json("restore", "sealed.db", "--force", ...age.open);
  await isBack(box, token);
});

Deno.test("the old key file named by --kek-file: the error says under which KEK the database is and where the file goes", async () => {
  using box = new Box();
  const { token, kek, kekFile } = await backedUp(box);
  const there = await fromAutomaticCopy(box);
  const away = join(box.home, "away");
  Deno.renameSync(kekFile, away);
  const { code, message, hint } = await refusal(box, "b.db", "--kek-file", away);
  assert.equal(code, "kek_wrong");
  assert.ok(message!.includes(kek) && message!.includes(there), message);
  assert.ok(hint!.includes(`put the file there as ${kekFile}`), hint);
  Deno.renameSync(away, kekFile);
  await box.json("restore", "b.db", "--force");
  await isBack(box, token);
});

Deno.test("a lost key file is found again after --new-secret: the backup and the kept database come back", async () => {
  for (const path of ["b.db", undefined]) {
    using box = new Box();
    const { token, kekFile } = await backedUp(box);
    Deno.renameSync(kekFile, join(box.home, "away"));
    const { former_database } = await box.json("restore", "b.db", "--force", "--new-secret");
    Deno.renameSync(join(box.home, "away"), kekFile);
    await box.json("restore", path ?? former_database, "--force");
    await isBack(box, token);
  }
});

Deno.test("the KEK of the database lost, that of the backup there: its log is not continued with another key", async () => {
  using box = new Box();
  const { token, kekFile } = await backedUp(box);
  await fromAutomaticCopy(box);
  for (const path of [...box.files().keys()].filter((path) => path.endsWith(".kek"))) {
    if (path !== kekFile) Deno.removeSync(path);
  }
  const restored = await box.run(["restore", "b.db", "--force", "--new-secret", "--json"]);
  assert.equal(restored.code, 0, restored.stderr);
  const { secret_from, former_database } = JSON.parse(restored.stdout);
  assert.deepEqual([secret_from, former_database], ["database", `${box.database}.former`]);
  assert.match(restored.stderr, /log of the database that was replaced/);
  await isBack(box, token);
});
