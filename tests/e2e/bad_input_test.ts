import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { dirname } from "node:path";
import { everyNthByBinary } from "../support/commands/in_process.ts";
import { Box, type Ended } from "../support/process/box.ts";
import { openSealed } from "../support/store/sealed.ts";
import { query, queryRow, sql } from "../support/store/sql.ts";

/** Nothing of the program's inside may show, whatever it was given. */
function assertCivil({ stdout, stderr }: Ended): void {
  assert.doesNotMatch(stdout + stderr, /\bat .*:\d+:\d+|internal error|Uncaught|\.js:|node:|ext:/);
}

const b64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");
const now = Math.floor(Date.now() / 1000);

/** Signs whatever it is given with the box's real secret: only the form can be wrong. */
function signer(key: string) {
  return (header: string | Uint8Array, payload: string | Uint8Array, hash = "sha512") => {
    const input = `${b64(header)}.${b64(payload)}`;
    return `${input}.${createHmac(hash, key).update(input).digest("base64url")}`;
  };
}

Deno.test("every bad token has its code and exit status 3", async (t) => {
  using box = new Box();
  await box.run(["init"]);
  const sign = signer((await openSealed(box)).value);
  const header = '{"alg":"HS512"}';
  const claims = (more = {}) => JSON.stringify({ sub: "a", exp: now + 600, ...more });
  const valid = sign(header, claims({ iss: "i", aud: "u" }));
  const [h, p, s] = valid.split(".") as [string, string, string];
  const cases: [what: string, code: string, token: string, ...flags: string[]][] = [
    ["empty", "malformed", ""],
    ["one part", "malformed", h],
    ["alg none, no signature", "malformed", `${b64('{"alg":"none"}')}.${p}`],
    ["alg none", "alg_not_allowed", `${b64('{"alg":"none"}')}.${p}.`],
    ["alg NONE", "alg_not_allowed", sign('{"alg":"NONE"}', claims())],
    ["another HMAC", "alg_not_allowed", sign('{"alg":"HS256"}', claims(), "sha256")],
    ["RS256", "alg_not_allowed", sign('{"alg":"RS256"}', claims())],
    ["words and dots", "malformed", "not.a.token"],
    ["broken base64url", "malformed", `${h}.${p}.${s}=`],
    ["invalid UTF-8", "malformed", sign(header, new Uint8Array([0x7b, 0xff, 0x7d]))],
    ["a member twice", "malformed", sign(header, '{"sub":"a","sub":"b","exp":9999999999}')],
    ["crit", "malformed", sign('{"alg":"HS512","crit":["b64"],"b64":true}', claims())],
    ["expired", "expired", sign(header, claims({ exp: now - 1 }))],
    ["not yet valid", "not_yet_valid", sign(header, claims({ nbf: now + 600 }))],
    ["no exp", "claim_mismatch", sign(header, '{"sub":"a"}')],
    ["exp beyond all numbers", "malformed", sign(header, '{"exp":1e999}')],
    ["exp a string", "malformed", sign(header, '{"exp":"9999999999"}')],
    ["wrong issuer", "claim_mismatch", valid, "--iss", "j"],
    ["wrong audience", "claim_mismatch", valid, "--aud", "v"],
    ["wrong subject", "claim_mismatch", valid, "--sub", "b"],
    ["changed signature", "bad_signature", `${h}.${p}.${b64(new Uint8Array(64))}`],
    ["signature cut short", "bad_signature", `${h}.${p}.${s.slice(0, 40)}`],
    ["forged and expired", "bad_signature", signer("x")(header, claims({ exp: 1 }))],
    ["unknown kid", "unknown_kid", sign('{"alg":"HS512","kid":"../../etc/passwd"}', claims())],
    ["SQL as kid", "unknown_kid", sign(`{"alg":"HS512","kid":"' OR 1=1 --"}`, claims())],
  ];
  assert.equal((await box.run(["verify", valid])).code, 0);
  const run = everyNthByBinary(5);
  for (const [what, code, token, ...flags] of cases) {
    await t.step(what, async () => {
      const ended = await run(box, ["verify", ...flags, "--json", "--", token]);
      assert.deepEqual([ended.code, JSON.parse(ended.stdout).code], [3, code]);
      assert.equal(ended.stderr, "");
      const human = await run(box, ["verify", ...flags, "--", token]);
      assert.equal(human.code, 3);
      assertCivil(human);
      assert.ok(token.length < 40 || !human.stderr.includes(token.slice(0, 40)));
    });
  }
});

Deno.test("a token of 1 MiB is too large, and stdin is not read to its end", async () => {
  using box = new Box();
  await box.run(["init"]);
  const ended = await box.run(["verify", "--json"], { stdin: "a".repeat(1 << 20) });
  assert.deepEqual([ended.code, JSON.parse(ended.stdout).code], [3, "too_large"]);
});

Deno.test("every claim that is wrong is named at once", async () => {
  using box = new Box();
  await box.run(["init"]);
  const sign = signer((await openSealed(box)).value);
  const token = sign('{"alg":"HS512"}', JSON.stringify({ exp: 1, nbf: now + 600, iss: "j" }));
  const { code, failures } = await box.json("verify", token, "--iss", "i");
  assert.equal(code, "expired");
  assert.deepEqual(failures.map(({ claim }: { claim: string }) => claim), ["exp", "nbf", "iss"]);
});

Deno.test("an empty stdin is an empty token", async () => {
  using box = new Box();
  await box.run(["init"]);
  assert.equal((await box.json("verify")).code, "malformed");
});

const USAGE: string[][] = [
  [],
  ["nonsense"],
  ["rotate", "--nonsense"],
  ["issue"],
  ["issue", "--sub"],
  ["issue", "--sub", "a", "--ttl", "1"],
  ["verify", "a", "b"],
  ["init", "--alg", "ES256K"],
  ["init", "--store", "paper"],
  ["init", "--app", "../x"],
  ["rotate", "--grace", "soon"],
  ["audit", "nonsense"],
  ["audit", "list", "--limit", "0"],
];
for (const args of USAGE) {
  Deno.test(`rekey ${args.join(" ")}: exit 2 with a hint`, async () => {
    using box = new Box();
    const ended = await box.run([...args, "--json"]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.equal(ended.stdout, "");
    assert.equal(JSON.parse(ended.stderr).error.code, "usage");
    assertCivil(ended);
    assert.deepEqual([...box.files().keys()], []);
  });
}

Deno.test("a mistyped line does not print the token or password that stands in it", async () => {
  using box = new Box();
  const token = "eyJhbGciOiJIUzUxMiJ9".repeat(5);
  const lines = [
    [token],
    ["verify", `--token=${token}`],
    ["issue", `--password=hunter2`],
    ["verify", "a", token],
    ["audit", token],
    ["audit", "hunter2"],
    ["import", "hunter2"],
    ["serve", token],
    ["rotate", `--force=${token}`],
    ["verify", "--password", "hunter2"],
    ["--token", token, "verify"],
    [`it's ${token}`],
    ["--app", token, "status"],
    ["rotate", "--grace", token],
    ["init", "--store", token],
  ];
  for (const args of lines) {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 2);
    assert.ok(!stderr.includes(token) && !stderr.includes("hunter2"), stderr);
  }
});

type Damage = [what: string, code: string, provoke: (box: Box) => void];
const DATABASES: Damage[] = [
  ["is no SQLite file", "database_damaged", (box) => {
    Deno.mkdirSync(dirname(box.database), { recursive: true });
    Deno.writeTextFileSync(box.database, "This is not a database. ".repeat(100));
  }],
  ["is of a newer schema", "database_newer", (box) => sql(box, "PRAGMA user_version = 99")],
  ["has a damaged jwt_secret", "secret_damaged", (box) => {
    sql(box, "UPDATE settings SET value = substr(value, 1, 200) || 'A' || substr(value, 202)");
    sql(box, "UPDATE settings SET value = substr(value, 1, length(value) - 4)");
  }],
  ["has lost a table", "database_damaged", (box) => {
    sql(box, "DROP TABLE rekey_sessions; DROP TABLE rekey_audit_counts");
  }],
  ["has a number that is too large", "database_damaged", (box) => {
    sql(box, "UPDATE rekey_versions SET created_at = 9223372036854775807");
  }],
  ["has a damaged kek row", "database_damaged", (box) => {
    sql(box, "UPDATE rekey_meta SET value = '{' WHERE key = 'kek'");
  }],
  ["names another file as its key", "database_damaged", (box) => {
    sql(
      box,
      "UPDATE rekey_meta SET value = json_set(value, '$.file', '../victim') WHERE key = 'kek'",
    );
  }],
  ["has an unknown algorithm", "database_damaged", (box) => {
    sql(box, "UPDATE rekey_meta SET value = 'none' WHERE key = 'alg'");
  }],
  ["has no jwt_secret", "secret_missing", (box) => sql(box, "DELETE FROM settings")],
  ["belongs to another program", "database_foreign", (box) => {
    Deno.removeSync(box.database);
    sql(box, "CREATE TABLE t (x); PRAGMA user_version = 1");
  }],
];
for (const [what, code, provoke] of DATABASES) {
  Deno.test(`a database that ${what}: exit 4, and the file stays as it is`, async () => {
    using box = new Box();
    if (what !== "is no SQLite file") await box.run(["init"]);
    provoke(box);
    const before = content(box);
    for (const command of [["status"], ["issue", "--sub", "a"]]) {
      const ended = await box.run([...command, "--json"]);
      assert.equal(ended.code, 4, ended.stderr);
      assert.equal(JSON.parse(ended.stderr).error.code, code);
      assertCivil(ended);
    }
    assert.equal(content(box), before);
  });
}

/** What the `settings` table holds, or the file itself when it is no database. */
function content(box: Box): string {
  try {
    return JSON.stringify(query(box, "SELECT * FROM settings"));
  } catch {
    return Deno.readTextFileSync(box.database);
  }
}

Deno.test("a sealed value of another machine does not open, and is named as such", async () => {
  using mine = new Box();
  using other = new Box();
  for (const box of [mine, other]) await box.run(["init"]);
  const { value } = queryRow(other, "SELECT value FROM settings") as { value: string };
  sql(mine, `UPDATE settings SET value = '${value}'`);
  const { code, stderr } = await mine.run(["status", "--json"]);
  assert.equal(code, 4);
  assert.equal(JSON.parse(stderr).error.code, "kek_wrong");
});

Deno.test("an older sealed value put back in place of the current one does not open", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { value } = queryRow(box, "SELECT value FROM settings") as { value: string };
  await box.run(["rotate", "--force"]);
  sql(box, `UPDATE settings SET value = '${value}'`);
  const { code, stderr } = await box.run(["status", "--json"]);
  assert.equal(code, 4);
  assert.equal(JSON.parse(stderr).error.code, "secret_damaged");
});

Deno.test("a claim cannot steer the terminal", async () => {
  using box = new Box();
  await box.run(["init"]);
  const sign = signer((await openSealed(box)).value);
  const claims = JSON.stringify({ exp: now + 600, "\u001b[31m\u202e": "\u001b]0;x\u0007\u2028" });
  const { code, stdout } = await box.run(["verify", sign('{"alg":"HS512"}', claims)]);
  assert.equal(code, 0);
  for (const character of ["\u001b", "\u0007", "\u202e", "\u2028"]) {
    assert.ok(!stdout.includes(character));
  }
  assert.match(stdout, /\\u\{1b\}/);
});

Deno.test("no secret yet: exit 4, and nothing is made", async () => {
  using box = new Box();
  for (
    const args of [["status"], ["verify", "a.b.c"], ["issue", "--sub", "a"], ["rotate", "--force"]]
  ) {
    const { code, stderr } = await box.run([...args, "--json"]);
    const wanted = args[0] === "verify" ? 3 : 4;
    assert.equal(code, wanted, stderr);
  }
  assert.ok(![...box.files().keys()].some((path) => path.endsWith(".db")));
});

Deno.test("a reason or a request's name that is too long to keep is refused", async () => {
  using box = new Box();
  await box.json("init", "--store", "database");
  for (const [flag, most] of [["--reason", 1_000], ["--request-id", 200]] as const) {
    const rotate = (length: number) => box.run(["rotate", "--force", flag, "x".repeat(length)]);
    assert.equal((await rotate(most + 1)).code, 2);
    assert.equal((await rotate(most)).code, 0);
  }
  assert.equal((await box.run(["rotate", "--force", "--reason", ""])).code, 0);
});
