import assert from "node:assert/strict";
import { join } from "node:path";
import { examined } from "../support/commands/doctor.ts";
import { secret } from "../support/commands/importing.ts";
import { later, sealedRows, started, states } from "../support/commands/standby.ts";
import { Box } from "../support/process/box.ts";
import { query, queryRow, sql } from "../support/store/sql.ts";

Deno.test("a key pair that is prepared signs nothing until it is activated, and then goes on", async () => {
  using box = await started();
  const before = await box.token();
  const prepared = await box.json("rotate", "--prepare", "--alg", "ES256");
  assert.equal(prepared.alg, "ES256");
  const wait = Date.parse(prepared.activatable_at) - Date.parse(prepared.published_at);
  assert.equal(wait, 600_000);
  assert.deepEqual(states(box), ["1 current", "2 pending"]);
  assert.deepEqual(sealedRows(box), ["jwt_secret", "jwt_secret.v2"]);

  const { keys } = JSON.parse((await box.run(["jwks"])).stdout);
  assert.deepEqual(keys.map(({ kid }: { kid: string }) => kid), [prepared.kid]);

  const again = await box.json("rotate", "--prepare");
  assert.deepEqual([again.kid, again.published_at], [prepared.kid, prepared.published_at]);
  const between = await box.json("verify", await box.token());
  assert.equal(between.version, 1);
  assert.deepEqual((await box.json("status")).prepared, {
    version: 2,
    kid: prepared.kid,
    alg: "ES256",
    published_at: prepared.published_at,
    activatable_at: prepared.activatable_at,
    is_ready: false,
  });
  assert.match(
    (await box.run(["status"])).stdout,
    /^prepared +version 2 \(ES256, kid .*\), since .*\nactivation +from .* \(in 9 minutes\) on$/m,
  );

  const early = await box.run(["rotate", "--activate", "--grace", "1h"]);
  assert.equal(early.code, 5);
  assert.ok(early.stderr.includes(`before ${prepared.activatable_at}`), early.stderr);
  assert.deepEqual(states(box), ["1 current", "2 pending"]);

  const activated = await later(box, "+601s", "rotate", "--activate", "--grace", "1h", "--json");
  assert.equal(activated.code, 0, activated.stderr);
  assert.equal(JSON.parse(activated.stdout).kid, prepared.kid);
  assert.deepEqual(states(box), ["1 previous", "2 current"]);
  assert.equal((await box.json("status")).prepared, null);
  assert.equal((await box.json("verify", before)).valid, true);
  assert.equal((await box.json("verify", await box.token())).kid, prepared.kid);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("--force activates early, and the log says so", async () => {
  using box = await started();
  const { kid, activatable_at } = await box.json("rotate", "--prepare", "--alg", "Ed25519");
  const before = await box.token();
  assert.equal((await box.json("rotate", "--activate", "--force")).kid, kid);
  assert.equal((await box.json("verify", before)).valid, false);
  const row = queryRow(box, "SELECT reason FROM rekey_audit WHERE reason LIKE 'forced%'");
  assert.equal(row?.reason, `forced before ${activatable_at}`);
});

Deno.test("an HMAC version is prepared for deliveries only, and needs no wait", async () => {
  using box = await started();
  const prepared = await box.json("rotate", "--prepare");
  assert.deepEqual([prepared.alg, prepared.activatable_at], ["HS512", null]);
  assert.match((await box.run(["status"])).stdout, /^activation +can be activated$/m);
  assert.equal((await box.json("rotate", "--activate")).kid, prepared.kid);
});

Deno.test("verifiers that hold several keys get a prepared one, and keep it while it is activated", async () => {
  using box = await started();
  const path = join(box.home, "keys.json");
  const kids = () =>
    JSON.parse(Deno.readTextFileSync(path)).keys.map(({ kid }: { kid: string }) => kid).sort();
  const { kid: first } = await box.json("status");
  await box.run(["deliver", "add", "api", "--format", "jwks", "--path", path]);
  assert.deepEqual(kids(), [first]);
  const { kid } = await box.json("rotate", "--prepare");
  assert.deepEqual(kids(), [first, kid].sort());
  await box.json("rotate", "--activate", "--grace", "1h");
  assert.deepEqual(kids(), [first, kid].sort());
  await box.run(["revoke"]);
  assert.deepEqual(kids(), [kid]);
});

Deno.test("what prepares nothing leaves a prepared version alone: revoke, a new KEK, a failed rotation", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES384");
  assert.equal((await box.run(["revoke"])).code, 0);
  assert.equal((await box.run(["kek", "rotate"])).code, 0);
  const path = join(box.home, "folder", "keys.json");
  Deno.mkdirSync(join(box.home, "folder"));
  const add = ["deliver", "add", "api", "--format", "jwks", "--path", path, "--reload", "false"];
  await box.run([...add, "--force"]);
  const failed = await box.run(["rotate", "--force", "--grace", "1h", "--alg", "HS256"]);
  assert.equal(failed.code, 5, failed.stderr);
  assert.match(failed.stderr, /Not rotated: api/);
  assert.deepEqual(states(box).filter((row) => !row.endsWith("retired")), [
    "1 current",
    "2 pending",
  ]);
  assert.equal((await box.json("status")).prepared.kid, kid);
  await box.run(["deliver", "remove", "api"]);
  assert.equal((await box.json("rotate", "--activate", "--force")).kid, kid);
  assert.equal((await box.json("verify", await box.token())).kid, kid);
});

Deno.test("a rotation in one step drops the prepared version with its value", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  const dropping = await box.run(["rotate", "--force", "--reason", "security-incident"]);
  assert.match(dropping.stderr, /^version 2, which was prepared, is dropped$/m);
  assert.deepEqual(states(box), ["1 retired", "2 retired", "3 current"]);
  assert.deepEqual(sealedRows(box), ["jwt_secret"]);
  assert.equal((await box.run(["rotate", "--activate"])).code, 1);
  const retired = queryRow(
    box,
    "SELECT reason FROM rekey_audit WHERE kid = ? AND event LIKE '%retired'",
    kid,
  );
  assert.equal(retired?.reason, "prepared, and not used");
});

Deno.test("another use than the prepared one is refused", async () => {
  using box = await started();
  await box.json("rotate", "--prepare", "--alg", "ES256");
  for (const flags of [["--alg", "RS256"], ["--alg", "HS512"], ["--bytes", "32"]]) {
    const { code, stderr } = await box.run(["rotate", "--prepare", ...flags]);
    assert.equal(code, 1, `${flags} ${stderr}`);
    assert.match(stderr, /version 2 \(ES256\) is prepared/);
  }
  assert.equal((await box.run(["rotate", "--prepare", "--alg", "ES256"])).code, 0);
});

Deno.test("a prepared version whose value is lost is not activated; --prepare makes another", async () => {
  using box = await started();
  const token = await box.token();
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  sql(box, "DELETE FROM settings WHERE key = 'jwt_secret.v2'");
  const refused = await box.run(["rotate", "--activate", "--force"]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /its value is lost/);
  const another = await box.json("rotate", "--prepare", "--alg", "ES256");
  assert.notEqual(another.kid, kid);
  assert.equal(
    (await box.json("rotate", "--activate", "--force", "--grace", "1h")).kid,
    another.kid,
  );
  assert.equal((await box.json("verify", token)).valid, true);
  assert.deepEqual(states(box), ["1 previous", "2 retired", "3 current"]);
});

Deno.test("prepared by a clock that was ahead: not activated before it is counted from now on", async () => {
  using box = await started();
  const ahead = await later(box, "+730d", "rotate", "--prepare", "--alg", "ES256", "--json");
  assert.equal(ahead.code, 0, ahead.stderr);
  const { kid } = JSON.parse(ahead.stdout);
  const refused = await box.run(["rotate", "--activate"]);
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /prepared in the future, .*the clock was ahead then/);
  const { kid: same, published_at } = await box.json("rotate", "--prepare");
  assert.equal(same, kid);
  assert.ok(Math.abs(Date.parse(published_at) - Date.now()) < 60_000);
  assert.equal((await box.run(["rotate", "--activate"])).code, 5);
  const done = await later(box, "+601s", "rotate", "--activate", "--grace", "1h");
  assert.equal(done.code, 0, done.stderr);
});

Deno.test("the wait is the max-age of sets that verifiers may have, whatever it is now", async () => {
  using box = await started();
  const wait = async () => {
    const { published_at, activatable_at } = await box.json(
      "rotate",
      "--prepare",
      "--alg",
      "ES256",
    );
    return Math.round((Date.parse(activatable_at) - Date.parse(published_at)) / 1000);
  };
  const set = (age: string) => box.json("policy", "set", "--jwks-max-age", age);
  assert.equal((await set("2h")).jwks_max_age_seconds, 7200);
  assert.equal(await wait(), 7200);
  await set("1m");
  assert.equal(await wait(), 7200, "what is out is out");
  await box.json("rotate", "--activate", "--force");
  const remembered = await wait();
  assert.ok(remembered > 7000 && remembered <= 7200, `sets of two hours are out: ${remembered}`);
  const early = await later(box, "+61s", "rotate", "--activate");
  assert.equal(early.code, 5, early.stderr);
  assert.equal((await box.run(["policy", "set", "--jwks-max-age", "25h"])).code, 2);
});

Deno.test("the max-age of init or the first import counts from the start; a later one is a shorter one", async () => {
  const age = ["--jwks-max-age", "1s"];
  const waits: [how: string, begin: (box: Box) => Promise<unknown>, seconds: number][] = [
    ["init", (box) => box.run(["init", ...age]), 1],
    ["import", (box) => box.run(["import", "--alg", "HS256", ...age], { stdin: secret() }), 1],
    ["init twice", async (box) => {
      await box.run(["init"]);
      await box.run(["init", ...age]);
    }, 600],
    ["import over a secret", async (box) => {
      await box.run(["init"]);
      await box.run(["import", "--alg", "HS256", ...age], { stdin: secret() });
    }, 600],
  ];
  for (const [how, begin, seconds] of waits) {
    using box = new Box();
    await begin(box);
    assert.equal((await box.json("policy", "show")).jwks_max_age_seconds, 1, how);
    const rows = query(box, "SELECT event, reason FROM rekey_audit WHERE reason LIKE '%kept%'");
    assert.deepEqual(rows.map(({ reason }) => reason), [
      "no leeway, exp needed, public keys kept 1 second",
    ]);
    const prepared = await box.json("rotate", "--prepare", "--alg", "ES256");
    const wait = Date.parse(prepared.activatable_at) - Date.parse(prepared.published_at);
    assert.ok(Math.abs(wait / 1000 - seconds) <= (seconds > 1 ? 30 : 0), `${how}: ${wait} ms`);
  }
});

Deno.test("a rotation to a key pair in one step says what verifiers may do; others say nothing", async () => {
  using box = await started();
  const said = async (...args: string[]) => (await box.run(["rotate", "--force", ...args])).stderr;
  const remark = /may refuse new tokens for 10 minutes, .*`rekey rotate --prepare`/;
  assert.match(await said("--grace", "24h", "--alg", "ES256"), remark);
  assert.match(await said("--grace", "24h"), remark);
  assert.doesNotMatch(await said(), /may refuse/);
  assert.doesNotMatch(await said("--grace", "24h", "--alg", "HS512"), /may refuse/);
  await box.json("rotate", "--prepare", "--alg", "ES256");
  assert.doesNotMatch(await said("--activate", "--grace", "1h"), /may refuse/);
});

Deno.test("doctor finds a prepared version that was forgotten, and one whose value is lost", async () => {
  using box = await started();
  await box.json("rotate", "--prepare", "--alg", "ES256");
  assert.ok((await examined(box)).healthy);
  const week = 8 * 86_400_000;
  sql(box, `UPDATE rekey_versions SET published_at = published_at - ${week} WHERE version = 2`);
  const [forgotten] = (await examined(box)).findings;
  assert.equal(forgotten!.code, "standby_forgotten");
  assert.equal(forgotten!.command, "rekey rotate --activate --grace 1h");
  sql(box, "DELETE FROM settings WHERE key = 'jwt_secret.v2'");
  const { findings } = await examined(box);
  const lost = findings.find(({ code }) => code === "secret_missing");
  assert.equal(lost?.command, "rekey rotate --prepare");
  assert.equal((await box.run(["rotate", "--prepare", "--alg", "ES256"])).code, 0);
  assert.deepEqual((await examined(box)).findings, []);
});
