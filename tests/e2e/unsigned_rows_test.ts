import assert from "node:assert/strict";
import { join } from "node:path";
import { hashPassword } from "../../src/users/passwords.ts";
import { infoOf } from "../../src/system/files.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { queryRow, sql } from "../support/store/sql.ts";

// What docs/security.md says of someone who can write the database and has no KEK.

const HOUR_MS = 3_600_000;

/** A box whose secret is in the database, and a token of it. */
async function initialised(...args: string[]): Promise<{ box: Box; token: string }> {
  const box = new Box();
  assert.equal((await box.run(["init", "--store", "database", ...args])).code, 0);
  return { box, token: await box.token() };
}

/** What `rekey verify` says of a token: `valid`, or why not. */
async function verdict(box: Box, token: string): Promise<string> {
  const { stdout, stderr } = await box.run(["verify", token, "--json"]);
  const said = JSON.parse(stdout || stderr);
  return said.valid ? "valid" : said.code ?? said.error.code;
}

/** The code of the error by which `rekey issue` fails. */
async function refusal(box: Box): Promise<string> {
  return JSON.parse((await box.run(["issue", "--sub", "alice", "--json"])).stderr).error.code;
}

for (const [alg, other] of [["RS256", "PS256"], ["HS256", "HS512"]] as const) {
  Deno.test(`a row that says ${other} in place of ${alg} ends tokens, and has later ones signed so`, async () => {
    const { box, token } = await initialised("--alg", alg);
    using _ = box;
    sql(box, `UPDATE rekey_versions SET alg = '${other}'`);
    assert.equal(await verdict(box, token), "alg_not_allowed");
    const later = await box.token();
    assert.equal(JSON.parse(atob(later.split(".")[0]!)).alg, other);
    assert.equal(await verdict(box, later), "valid");
    sql(box, `UPDATE rekey_versions SET alg = '${alg}'`);
    assert.equal(await verdict(box, token), "valid");
  });
}

Deno.test("a row that names another kind of key than its value makes the value unusable", async () => {
  const { box } = await initialised("--alg", "RS256");
  using _ = box;
  for (const set of ["alg = 'ES256'", "alg = 'HS256', key_form = 'text'"]) {
    sql(box, `UPDATE rekey_versions SET ${set}`);
    const { code, stderr } = await box.run(["issue", "--sub", "alice"]);
    assert.deepEqual([code, /its value is another kind of key/.test(stderr)], [4, true], set);
  }
});

Deno.test("a row whose algorithm does not fit its key form makes the row unusable, one that does the value", async () => {
  const { box } = await initialised("--alg", "ES256");
  using _ = box;
  const codes = {
    "alg = 'HS512'": "database_damaged",
    "alg = 'HS512', key_form = 'text'": "secret_damaged",
    "alg = 'ES384', key_form = 'pkcs8'": "secret_damaged",
  };
  for (const [set, code] of Object.entries(codes)) {
    sql(box, `UPDATE rekey_versions SET ${set}`);
    assert.equal(await refusal(box), code, set);
  }
});

Deno.test("a row that names another location: the sealed value serves for a keyring, and not for etcd", async () => {
  const { box, token } = await initialised();
  using _ = box;
  sql(box, "UPDATE rekey_versions SET location = 'keyring'");
  assert.equal(await verdict(box, await box.token()), "valid");
  sql(box, "UPDATE rekey_versions SET location = 'etcd'");
  assert.equal(await refusal(box), "etcd_unconfigured");
  // As it is where the value is in the keyring only.
  sql(box, "UPDATE rekey_versions SET location = 'database'");
  sql(box, "DELETE FROM settings WHERE key = 'jwt_secret'");
  assert.equal(await verdict(box, token), "secret_missing");
});

Deno.test("a grace period can be made longer, and none can be opened again", async () => {
  const { box, token } = await initialised();
  using _ = box;
  const until = Date.now() + HOUR_MS;
  await box.run(["rotate", "--force", "--grace", "10m"]);
  sql(box, `UPDATE rekey_versions SET grace_until = ${until} WHERE version = 1`);
  const { grace } = await box.json("status");
  assert.deepEqual(grace.map((one: { until: string }) => Date.parse(one.until)), [until]);
  await box.run(["rotate", "--force"]);
  sql(
    box,
    `UPDATE rekey_versions SET state = 'previous', grace_until = ${until} WHERE version = 1`,
  );
  assert.equal(await verdict(box, token), "secret_missing");
  assert.equal(await verdict(box, await box.token()), "valid");
});

Deno.test("an ended session can be opened again, until a rotation", async () => {
  const { box, token } = await initialised();
  using _ = box;
  await box.run(["session", "revoke", "--user", "alice"]);
  assert.equal(await verdict(box, token), "revoked");
  sql(box, "UPDATE rekey_sessions SET revoked_at = NULL");
  assert.equal(await verdict(box, token), "valid");
  await box.run(["rotate", "--force"]);
  sql(box, "UPDATE rekey_sessions SET revoked_at = NULL, version = 2");
  assert.equal(await verdict(box, token), "retired_kid");
});

Deno.test("a user can be added, who logs in with any claims", async () => {
  const { box } = await initialised();
  using _ = box;
  const password = "mallory's password";
  const row = [`'mallory'`, `'${await hashPassword(password)}'`, 1, 1, `'{"scope":"admin"}'`];
  sql(box, `INSERT INTO rekey_users VALUES (${row})`);
  await using serving = await Serving.start(box);
  const { token } = await (await serving.post("/login", { name: "mallory", password })).json();
  assert.equal(await serving.status(serving.post("/rotate", {}, token)), 200);
});

Deno.test("commands of a delivery can be changed, and are run", async () => {
  const { box } = await initialised();
  using _ = box;
  await box.run(["deliver", "add", "api", "--format", "text", "--path", join(box.home, "k/key")]);
  const { settings } = queryRow(box, "SELECT settings FROM rekey_deliveries")!;
  const changed = { ...JSON.parse(settings), reload: `touch ${box.home}/ran` };
  sql(box, `UPDATE rekey_deliveries SET settings = '${JSON.stringify(changed)}'`);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.ok(infoOf(join(box.home, "ran"))?.isFile);
});
