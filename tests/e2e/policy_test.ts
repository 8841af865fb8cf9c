import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Box } from "../support/process/box.ts";
import { type Header, now, signWith } from "../support/attacks/foreign_tokens.ts";
import { logIn } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { haveUsers } from "../support/store/users.ts";

const KEY = randomBytes(48).toString("base64");
const sign = (claims: object, header: Header = {}) =>
  signWith(KEY, { alg: "HS256", ...header }, claims);

async function imported(...more: string[]): Promise<Box> {
  const box = new Box();
  const { code, stderr } = await box.run(["import", "--alg", "HS256", ...more], { stdin: KEY });
  assert.equal(code, 0, stderr);
  return box;
}

async function policy(box: Box, ...args: string[]) {
  const { code, stdout, stderr } = await box.run(["policy", ...args, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const STANDARD = {
  ...{ leeway_seconds: 0, allow_no_exp: false, iss: null, aud: null, typ: null },
  jwks_max_age_seconds: 600,
};
// How long this machine keeps audit rows is no part of what tokens must have.
const KEPT = { audit_retention_seconds: null, retrievals_retention_seconds: null };

Deno.test("a policy is set once, shown by status, and taken back in parts or whole", async () => {
  using box = await imported();
  assert.deepEqual(await policy(box, "show"), { ...STANDARD, ...KEPT });
  assert.doesNotMatch((await box.run(["status"])).stdout, /^policy/m);
  await policy(box, "set", "--leeway", "5s", "--allow-no-exp");
  const set = await policy(box, "set", "--iss", "X", "--aud", "Y", "--aud", "Z", "--typ", "at+jwt");
  const all = {
    ...{ leeway_seconds: 5, allow_no_exp: true, iss: ["X"], aud: ["Y", "Z"], typ: "at+jwt" },
    jwks_max_age_seconds: 600,
  };
  assert.deepEqual(set, { ...all, ...KEPT });
  assert.deepEqual((await box.json("status")).policy, all);
  assert.match(
    (await box.run(["status"])).stdout,
    /^policy +leeway 5 seconds, exp may be missing, iss X, aud Y or Z, typ at\+jwt$/m,
  );
  const { stdout } = await box.run(["audit", "list"]);
  assert.equal(stdout.match(/Token policy changed/g)?.length, 2, stdout);
  await policy(box, "set", "--leeway", "5s");
  assert.equal(
    (await box.run(["audit", "list"])).stdout.match(/Token policy changed/g)?.length,
    2,
    "nothing has changed",
  );
  const less = { ...all, ...KEPT, iss: null, aud: null };
  assert.deepEqual(await policy(box, "clear", "iss", "aud"), less);
  assert.deepEqual(await policy(box, "clear"), { ...STANDARD, ...KEPT });
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("a damaged policy lets no token pass, and is taken back as its refusal says", async () => {
  using box = await imported("--iss", "X");
  const token = await box.token();
  sql(box, "UPDATE rekey_meta SET value = '{' WHERE key = 'policy'");
  for (const args of [["verify", token], ["policy", "show"], ["policy", "set", "--leeway", "5s"]]) {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 4, args.join(" "));
    assert.match(stderr, /policy row is missing or damaged\nhint: .*`rekey policy clear`/);
  }
  assert.deepEqual(await policy(box, "clear"), { ...STANDARD, ...KEPT });
  assert.equal((await box.json("verify", token)).valid, true);
  assert.match((await box.run(["audit", "list"])).stdout, /Token policy changed.*exp needed$/m);
});

Deno.test("an invalid policy is refused", async () => {
  using box = await imported();
  for (
    const args of [
      ["set"],
      ["set", "--leeway", "25h"],
      ["set", "--leeway", "-1"],
      ["set", "--iss", ""],
      ["set", "--typ", "x".repeat(1_025)],
      ["clear", "nonsense"],
      [],
    ]
  ) assert.equal((await box.run(["policy", ...args])).code, 2, `${args}`);
  assert.deepEqual(await policy(box, "show"), { ...STANDARD, ...KEPT });
});

Deno.test("every verification applies the policy, a running server from its next request on", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  const exp = now() + 600;
  const tokens: Record<string, string> = {
    never: sign({ sub: "a", iss: "X", aud: "Y" }),
    early: sign({ sub: "a", exp, nbf: now() + 300, iss: "X", aud: ["Y"] }),
    late: sign({ sub: "a", exp: now() - 1, iss: "X", aud: ["Y"] }),
    typed: sign({ sub: "a", exp, iss: "X", aud: ["other", "Z"] }, { typ: "Application/AT+JWT" }),
    plain: sign({ sub: "a", exp }),
  };
  const served = async (path: string, token: string) => {
    const answer = await fetch(serving.url + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.body?.cancel();
    return answer.status < 300;
  };
  const accepted = async () => {
    const names: string[] = [];
    for (const [name, token] of Object.entries(tokens)) {
      const { valid } = await box.json("verify", token);
      // Twice: the second time it may be remembered.
      for (const path of ["/auth", "/session", "/auth/x", "/auth"]) {
        assert.equal(await served(path, token), valid, `${name} ${path}`);
      }
      if (valid) names.push(name);
    }
    return names.join(" ");
  };
  assert.equal(await accepted(), "typed plain");
  await policy(box, "set", "--allow-no-exp");
  assert.equal(await accepted(), "never typed plain");
  await policy(box, "set", "--leeway", "10m");
  assert.equal(await accepted(), "never early late typed plain");
  await policy(box, "set", "--iss", "W", "--iss", "X", "--aud", "Y", "--aud", "Z");
  assert.equal(await accepted(), "never early late typed");
  await policy(box, "set", "--typ", "at+jwt");
  assert.equal(await accepted(), "typed");
  // What a proxy's query asks for is required besides: its client may have written it.
  await policy(box, "clear", "typ");
  assert.equal(await accepted(), "never early late typed");
  assert.equal(await served("/auth?aud=Y&iss=X", tokens.never!), true);
  assert.equal(await served("/auth?aud=other", tokens.typed!), true);
  await policy(box, "set", "--aud", "Y");
  assert.equal(await served("/auth?aud=other", tokens.typed!), false);
  assert.equal(await served("/auth?iss=W", tokens.never!), false);
  await policy(box, "clear");
  assert.equal(await accepted(), "typed plain");
});

Deno.test("what verify is asked for counts before the policy", async () => {
  using box = await imported("--iss", "X", "--allow-no-exp", "--leeway", "10m");
  const never = sign({ sub: "a", iss: "X" });
  const other = sign({ sub: "a", iss: "Y" });
  const late = sign({ sub: "a", iss: "X", exp: now() - 5 });
  const valid = async (...args: string[]) => (await box.json("verify", ...args)).valid;
  assert.equal(await valid(never), true);
  assert.equal(await valid(never, "--no-policy"), false);
  assert.equal(await valid(other), false);
  assert.equal(await valid(other, "--iss", "Y"), true);
  assert.equal(await valid(other, "--no-policy", "--allow-no-exp"), true);
  assert.equal(await valid(late), true);
  assert.equal(await valid(late, "--leeway", "0s"), false);
  assert.equal(await valid(never, "--typ", "JWT"), false);
  await using serving = await Serving.start(box);
  const over = async (token: string, more: object) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ token, ...more });
    const answer = await fetch(`${serving.url}/verify`, { method: "POST", headers, body });
    return (await answer.json()).valid;
  };
  assert.equal(await over(never, {}), true);
  assert.equal(await over(never, { allow_no_exp: false }), false);
  assert.equal(await over(other, { iss: "Y" }), true);
  assert.equal(await over(late, { leeway: 0 }), false);
  assert.equal(await over(never, { typ: "JWT" }), false);
});

Deno.test("rekey's own tokens say what the policy asks for", async () => {
  using box = new Box();
  const flags = ["--iss", "X", "--aud", "Y", "--aud", "Z", "--typ", "at+jwt"];
  assert.equal((await box.run(["init", ...flags])).code, 0);
  const { valid, claims } = await box.json("verify", await box.token());
  assert.deepEqual([valid, claims.iss, claims.aud], [true, "X", "Y"]);
  const own = await box.json("verify", await box.token("bob", "--aud", "Z"));
  assert.deepEqual([own.valid, own.claims.aud], [true, "Z"]);
  await haveUsers(box, ["alice"]);
  await using serving = await Serving.start(box);
  const { answer: { token } } = await logIn(serving);
  const me = await fetch(`${serving.url}/session`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal((await me.json()).sub, "alice");
});

Deno.test("a session that never expires shows as one", async () => {
  using box = await imported("--allow-no-exp");
  await using serving = await Serving.start(box);
  const token = sign({ sub: 7, jti: "j" });
  const headers = { authorization: `Bearer ${token}` };
  const session = await (await fetch(`${serving.url}/session`, { headers })).json();
  assert.deepEqual([session.sub, session.expires_at], ["7", null]);
  const out = await fetch(`${serving.url}/logout`, { method: "POST", headers });
  assert.equal(out.status, 204);
  assert.equal((await box.json("verify", token)).code, "revoked");
});

Deno.test("a policy survives rotations, and comes back with a backup", async () => {
  using box = await imported("--leeway", "7s");
  await box.run(["rotate", "--force"]);
  assert.equal((await policy(box, "show")).leeway_seconds, 7);
  const { code, stderr } = await box.run(["backup", "copy"]);
  assert.equal(code, 0, stderr);
  await policy(box, "set", "--leeway", "9s");
  assert.equal((await box.run(["restore", "copy", "--force"])).code, 0);
  assert.equal((await policy(box, "show")).leeway_seconds, 7);
});
