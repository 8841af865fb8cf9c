import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { Box } from "../support/process/box.ts";
import { sql } from "../support/store/sql.ts";

async function initialised(): Promise<{ box: Box; token: string }> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  return { box, token: await box.token() };
}

/** Exit status and code of a command that is to be refused in plain words. */
async function refusal(box: Box, ...args: string[]): Promise<string> {
  const { code, stderr } = await box.run([...args, "--json"]);
  const last = JSON.parse(stderr.trim().split("\n").at(-1)!);
  assert.notEqual(last.error?.code, "internal", stderr);
  return `${code} ${last.error?.code}`;
}

for (const version of [1, 0, -1]) {
  Deno.test(`a user_version that another program has set to ${version} is named`, async () => {
    const { box, token } = await initialised();
    using _ = box;
    sql(box, `PRAGMA user_version = ${version}`);
    assert.equal(await refusal(box, "status"), "4 database_damaged");
    sql(box, `PRAGMA user_version = ${MIGRATIONS.length}`);
    assert.equal((await box.json("verify", token)).valid, true);
  });
}

Deno.test("counters at their end: the token is verified, and the lost count is said", async () => {
  const { box, token } = await initialised();
  using _ = box;
  await box.run(["verify", token]);
  sql(box, "UPDATE rekey_verifications SET count = 9223372036854775807");
  sql(box, "UPDATE rekey_audit_counts SET count = 9223372036854775807");
  const { code, stdout, stderr } = await box.run(["verify", token]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^valid/);
  assert.match(stderr, /warning: .*could not be written/);
});

Deno.test("a trigger of another program that forbids writing is named", async () => {
  const { box, token } = await initialised();
  using _ = box;
  sql(
    box,
    "CREATE TRIGGER t BEFORE INSERT ON rekey_versions BEGIN SELECT RAISE(ABORT, 'no'); END",
  );
  assert.equal(await refusal(box, "rotate", "--force"), "4 database_foreign");
  sql(box, "DROP TRIGGER t");
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("a key file that is a folder, or a config folder that is a file, stops a destruction in words", async () => {
  const { box } = await initialised();
  using _ = box;
  const config = join(box.home, ".config/rekey");
  const [file] = [...Deno.readDirSync(config)].map(({ name }) => join(config, name));
  const key = Deno.readFileSync(file!);
  Deno.removeSync(file!);
  Deno.mkdirSync(join(file!, "in the way"), { recursive: true });
  assert.equal(await refusal(box, "destroy", "--force"), "4 database_unusable");
  Deno.removeSync(join(box.home, ".config"), { recursive: true });
  Deno.writeTextFileSync(join(box.home, ".config"), "");
  assert.equal(await refusal(box, "destroy", "--force"), "4 database_unusable");
  Deno.removeSync(join(box.home, ".config"));
  Deno.mkdirSync(config, { recursive: true });
  Deno.writeFileSync(file!, key);
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
});

Deno.test("a data folder that is a dangling link does not count as a missing secret", async () => {
  const { box, token } = await initialised();
  using _ = box;
  const folder = dirname(box.database);
  Deno.renameSync(folder, `${folder}.away`);
  Deno.symlinkSync("/nowhere", folder);
  assert.equal(await refusal(box, "status"), "4 database_unusable");
  assert.equal(await refusal(box, "destroy", "--force"), "4 database_unusable");
  Deno.removeSync(folder);
  Deno.renameSync(`${folder}.away`, folder);
  assert.equal((await box.json("verify", token)).valid, true);
});
