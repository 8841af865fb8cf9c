import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { removeDatabase } from "../support/store/backing_up.ts";

async function refusal(box: Box, ...args: string[]) {
  const { code, stderr } = await box.run([...args, "--json"]);
  return { exit: code, ...JSON.parse(stderr).error } as Record<string, string>;
}

/** The finding of doctor about the missing secret. */
async function finding(box: Box) {
  const { findings } = await box.json("doctor");
  return findings.find(({ code }: { code: string }) => code === "not_initialised");
}

async function rotated(box: Box): Promise<string> {
  await box.run(["init", "--store", "database"]);
  await box.run(["rotate", "--force"]);
  removeDatabase(box);
  return `${box.database}.v1.backup`;
}

Deno.test("a database is gone, its automatic copies are not: all that speaks of it names restore, and init makes no second secret", async () => {
  using box = new Box();
  const copy = await rotated(box);
  const { command, why } = await finding(box);
  // The secret was in the database: no copy has it.
  const restore = `rekey restore ${copy} --new-secret`;
  assert.equal(command, restore);
  assert.match(
    why,
    /The database is gone.*only a backup of your own brings that back.*sessions end/,
  );
  const status = await refusal(box, "status");
  assert.equal(status.code, "not_initialised");
  assert.ok(status.hint!.startsWith("The database is gone"), status.hint);
  assert.ok(status.hint!.includes(`\`${restore}\``), status.hint);
  const before = [...box.files().keys()];
  const { exit, code, hint } = await refusal(box, "init", "--store", "database");
  assert.deepEqual([exit, code], [1, "already_initialised"]);
  assert.ok(hint!.includes(`\`${restore}\``) && hint!.includes("rekey destroy"), hint);
  assert.deepEqual([...box.files().keys()], before, "no key, no database");
  assert.equal((await box.exec("/bin/sh", ["-c", restore.replace("rekey", REKEY)])).code, 0);
  assert.equal((await box.json("init")).version, 2, "init is safe to repeat");
});

Deno.test("to start over without a lost database, destroy deletes its copies", async () => {
  using box = new Box();
  const copy = await rotated(box);
  assert.equal((await box.json("destroy", "--force")).destroyed, true);
  assert.ok(![...box.files().keys()].includes(copy));
  assert.equal((await box.json("destroy", "--force")).destroyed, false);
  assert.equal((await box.json("init", "--store", "database")).version, 1);
});

Deno.test("destroy names the key file that an earlier database of the app left", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const { kek } = await box.json("status");
  await box.run(["rotate", "--force"]);
  removeDatabase(box);
  await box.run(["restore", `${box.database}.v1.backup`, "--new-secret"]);
  const { stdout, stderr } = await box.run(["destroy", "--force", "--json"]);
  assert.deepEqual(JSON.parse(stdout).key_files_left, [kek.source]);
  assert.ok(stderr.includes(`the key file ${kek.source} stays`), stderr);
  Deno.removeSync(kek.source);
  await box.run(["init", "--store", "database"]);
  const again = await box.run(["destroy", "--force", "--json"]);
  assert.deepEqual(JSON.parse(again.stdout).key_files_left, []);
  assert.equal(again.stderr, "");
});

Deno.test("a database is gone and only its key file is there: restore is named first, and init warns", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const { kek } = await box.json("status");
  removeDatabase(box);
  const { command, why } = await finding(box);
  assert.equal(command, "rekey restore BACKUP");
  assert.ok(why.includes(kek.source), why);
  assert.match(
    (await refusal(box, "status")).hint!,
    /^A key file of it is there.*rekey restore BACKUP/,
  );
  const { code, stderr } = await box.run(["init", "--store", "database"]);
  assert.equal(code, 0, stderr);
  assert.ok(stderr.includes(`warning: the app has had another secret: its key file ${kek.source}`));
  const again = await box.run(["init"]);
  assert.doesNotMatch(again.stderr, /key file/);
});

Deno.test("a first secret says nothing of key files", async () => {
  using box = new Box();
  Deno.mkdirSync(join(box.home, ".config/rekey"), { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(
    join(box.home, ".config/rekey/agiworkforce-other-abcdefghijklmnop.kek"),
    "",
  );
  const { stderr } = await box.run(["init", "--store", "database"]);
  assert.doesNotMatch(stderr, /key file/);
});
