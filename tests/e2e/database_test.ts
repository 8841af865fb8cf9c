import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { openSealed } from "../support/store/sealed.ts";
import { query, queryRow, sql } from "../support/store/sql.ts";

Deno.test("without a session bus the secret is a sealed row and plain nowhere", async () => {
  using box = new Box();
  const ended = await box.run(["init"]);
  assert.equal(ended.code, 0, ended.stderr);
  const { value, row } = await openSealed(box);
  assert.equal(row.encrypted, 1);
  assertNowhere(box, spellings(value), ended.stdout, ended.stderr);
});

Deno.test("issue, verify, rotate on the database: the old token is refused, a new one accepted", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { value: before } = await openSealed(box);
  const old = await box.token();
  assert.equal((await box.run(["verify", old])).code, 0);
  const rotated = await box.json("rotate", "--force", "--reason", "test");
  assert.deepEqual([rotated.version, rotated.location, rotated.grace_until], [2, "database", null]);
  const { value: after } = await openSealed(box);
  assert.notEqual(after, before);
  assert.equal((await box.run(["verify", old])).code, 3);
  assert.equal((await box.json("verify", old)).code, "retired_kid");
  assert.equal((await box.run(["verify", await box.token()])).code, 0);
  assertNowhere(box, spellings(before));
  assertNowhere(box, spellings(after));
});

Deno.test("verify reads a token from stdin", async () => {
  using box = new Box();
  await box.run(["init"]);
  const token = await box.token();
  for (const args of [["verify"], ["verify", "-"]]) {
    assert.equal((await box.run(args, { stdin: ` ${token} \r\n` })).code, 0);
  }
});

Deno.test("init is safe to repeat, and ten at once make one secret", async () => {
  using box = new Box();
  const ended = await Promise.all(Array.from({ length: 10 }, () => box.run(["init", "--json"])));
  const kids = new Set(ended.map(({ stdout, stderr }) => {
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout).kid;
  }));
  assert.equal(kids.size, 1);
  assert.equal((await box.json("init")).version, 1);
});

/** All that a rotation could change. */
function everything(box: Box): string {
  const tables = ["settings", "rekey_versions", "rekey_audit", "rekey_meta"];
  return JSON.stringify(tables.map((table) => query(box, `SELECT * FROM ${table}`)));
}

Deno.test("--dry-run changes nothing", async () => {
  using box = new Box();
  await box.run(["init"]);
  const token = await box.token();
  const before = everything(box);
  const plan = await box.json("rotate", "--dry-run");
  assert.equal(everything(box), before);
  assert.deepEqual([plan.dry_run, plan.previous_version, plan.sessions_active], [true, 1, 1]);
  assert.equal((await box.json("verify", token)).valid, true);
  const counted = /1 issued by rekey \(tokens that programs sign by themselves are not counted\)/;
  assert.match((await box.run(["rotate", "--dry-run"])).stdout, counted);
  assert.match((await box.run(["status"])).stdout, counted);
  assert.equal(plan.sessions_counted, "issued by rekey");
  assert.equal(plan.sessions_more, false);
});

Deno.test("security rotate-jwt-secret is the application's name for rotate", async () => {
  using box = new Box();
  await box.run(["init"]);
  const args = ["security", "rotate-jwt-secret", "--force", "--reason", "security-incident"];
  const { version, reason } = await box.json(...args);
  assert.deepEqual([version, reason], [2, "security-incident"]);
});

Deno.test("the JSON fields are the documented ones", async () => {
  using box = new Box();
  const shared = ["app", "version", "kid", "location", "created_at", "alg", "key_form"];
  assert.deepEqual(Object.keys(await box.json("init")), shared);
  const issued = await box.json("issue", "--sub", "alice");
  assert.deepEqual(Object.keys(issued), ["token", "jti", "expires_at"]);
  assert.deepEqual(Object.keys(await box.json("verify", issued.token)), [
    "valid",
    "version",
    "kid",
    "claims",
  ]);
  const more = ["previous_version", "previous_kid", "grace_until", "reason"];
  assert.deepEqual(Object.keys(await box.json("rotate", "--force")), [
    ...shared,
    ...more,
    "audit_head",
    "stale_processes",
  ]);
  const status = Object.keys(await box.json("status"));
  const wanted = [
    "age_seconds",
    "rotation_due",
    "grace",
    "kek",
    "sessions_active",
    "fallback_rate",
    "last_rotation",
  ];
  for (const field of [...shared, ...wanted]) assert.ok(status.includes(field), field);
});

Deno.test("the audit log tells what happened, with the guide's texts and durations", async () => {
  using box = new Box();
  await box.run(["init"]);
  await box.token();
  await box.run(["rotate", "--force", "--reason", "quarterly"]);
  const { stdout } = await box.run(["audit", "list", "--json"]);
  const rows = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const events = rows.map(({ event }) => event);
  assert.deepEqual(events.filter((event) => !event.includes("retrieved")), [
    "JWT secret created",
    "JWT secret rotation initiated",
    "JWT secret rotation completed",
  ]);
  const retrieved = rows.filter(({ event }) =>
    event === "JWT secret retrieved from database (fallback)"
  );
  assert.ok(retrieved.length > 0 && retrieved.every(({ duration }) => duration > 0));
  assert.deepEqual(rows.at(-1).reason, "quarterly");
  assert.deepEqual(rows.map(({ seq }) => seq), rows.map((_, index) => index + 1));
});

Deno.test("rotate asks, and refuses when there is no terminal to ask on", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { code, stderr } = await box.run(["rotate"], { stdin: "y\n" });
  assert.equal(code, 2);
  assert.match(stderr, /--force/);
  assert.equal((await box.json("status")).version, 1);
});

Deno.test("another app has a secret of its own", async () => {
  using box = new Box();
  await box.run(["init"]);
  const token = await box.token();
  await box.run(["--app", "acme", "init"]);
  const { code } = await box.json("--app", "acme", "verify", token);
  assert.equal(code, "unknown_kid");
});

Deno.test("status --check is one line for a monitor, and an exit status", async () => {
  using box = new Box();
  const none = await box.run(["status", "--check"]);
  assert.deepEqual([none.code, none.stdout.split("\n").length], [4, 2]);
  assert.match(none.stdout, /^REKEY CRITICAL - Cannot find a JWT secret/);
  await box.run(["init"]);
  const sound = await box.run(["status", "--check"]);
  assert.deepEqual([sound.code, sound.stderr], [0, ""]);
  assert.match(
    sound.stdout,
    /^REKEY OK - agiworkforce version 1 in the database is \d+ seconds? old, due in \d+ days \| age=\d+s;;7776000 sessions=0\n$/,
  );
  const due = await box.run(["status", "--check", "--max-age", "0s"]);
  assert.equal(due.code, 5);
  assert.match(due.stdout, /^REKEY CRITICAL - .*, a rotation is due \| age=\d+s;;0 sessions=0\n$/);
  assert.match(due.stderr, /hint: Run `rekey rotate`/);
  const { age_seconds } = await box.json("status", "--check");
  assert.equal(typeof age_seconds, "number");
});

Deno.test("destroy leaves an application's own tables and rows in place", async () => {
  using box = new Box();
  await box.run(["init"]);
  sql(box, "CREATE TABLE mine (x); INSERT INTO settings VALUES ('theme', 'dark', 0)");
  const { value } = await openSealed(box);
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
  const tables = query(box, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  assert.deepEqual(tables.map(({ name }) => name), ["settings", "mine"]);
  assert.equal(queryRow(box, "SELECT count(*) AS n FROM settings")!.n, 1);
  assertNowhere(box, spellings(value));
  assert.ok(![...box.files().keys()].some((path) => path.endsWith(".kek")));
});
