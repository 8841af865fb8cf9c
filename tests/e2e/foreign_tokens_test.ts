import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { everyNthByBinary } from "../support/commands/in_process.ts";
import { Box } from "../support/process/box.ts";
import { Serving } from "../support/http/serving.ts";
import { type Header, now, signWith } from "../support/attacks/foreign_tokens.ts";

const KEY = randomBytes(48).toString("base64");

const run = everyNthByBinary(5);

/** What `rekey verify` says of a token. */
async function verdictOf(box: Box, token: string, ...flags: string[]) {
  return JSON.parse((await run(box, ["verify", ...flags, "--json", "--", token])).stdout);
}

/** A box whose secret an application had before, with HS256. */
async function imported(): Promise<Box> {
  const box = new Box();
  const { code, stderr } = await box.run(["import", "--alg", "HS256"], { stdin: KEY });
  assert.equal(code, 0, stderr);
  return box;
}

const sign = (header: Header, claims: object = {}, key = KEY) =>
  signWith(key, { alg: "HS256", ...header }, { sub: "old", exp: now() + 600, ...claims });

/** What `serve` says of a token, on every route that takes one. */
async function everyRoute(url: string, token: string) {
  const bearer = { authorization: `Bearer ${token}` };
  const type = { "content-type": "application/json" };
  const json = { method: "POST", headers: type, body: JSON.stringify({ token }) };
  const body = async (answer: Response) => {
    const text = await answer.text();
    return text === "" ? {} : JSON.parse(text);
  };
  const auth = await fetch(`${url}/auth`, { headers: bearer });
  const envoy = await fetch(`${url}/auth/any/path`, { headers: bearer });
  const session = await fetch(`${url}/session`, { headers: bearer });
  const verify = await fetch(`${url}/verify`, json);
  const verdict = await fetch(`${url}/verdict`, json);
  const form = { method: "POST", body: new URLSearchParams({ token }) };
  const introspect = await fetch(`${url}/introspect`, form);
  await auth.body?.cancel();
  await envoy.body?.cancel();
  return {
    statuses: [auth, envoy, session, verify].map(({ status }) => status),
    subject: auth.headers.get("x-auth-subject"),
    session: await body(session),
    verify: await body(verify),
    valid: (await body(verdict)).valid,
    active: await body(introspect),
  };
}

Deno.test("tokens with the application's own kid verify with the imported secret, and with no other", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  for (const kid of ["", "2024-key-1", "https://app.example/keys/1", "\u00e9", "x".repeat(300)]) {
    const token = sign({ kid });
    const verdict = await verdictOf(box, token);
    assert.deepEqual([verdict.valid, verdict.version], [true, 1], kid);
    // The second time it is remembered.
    for (let round = 0; round < 2; round++) {
      const { statuses, active } = await everyRoute(serving.url, token);
      assert.deepEqual(statuses, [204, 200, 200, 200], kid);
      assert.equal(active.active, true);
    }
    const forged = sign({ kid }, {}, `${KEY}x`);
    assert.equal((await verdictOf(box, forged)).code, "unknown_kid");
    assert.equal((await everyRoute(serving.url, forged)).verify.code, "unknown_kid");
    assert.equal((await verdictOf(box, sign({ kid, alg: "HS512" }))).code, "alg_not_allowed");
  }
  for (const kid of [7, null, ["a"], {}, true]) {
    assert.equal((await verdictOf(box, sign({ kid }))).code, "malformed", JSON.stringify(kid));
  }
});

Deno.test("a generated secret never signs under a foreign kid", async () => {
  using box = await imported();
  const key2 = async () => {
    const { stdout } = await box.run(["exec", "--", "sh", "-c", 'printf %s "$JWT_SECRET"']);
    return stdout;
  };
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const generated = await key2();
  assert.match(generated, /^[\w+/]{86}==$/);
  const { kid } = await box.json("status");
  assert.equal((await box.json("verify", sign({ kid }, {}, generated))).version, 2);
  assert.equal((await box.json("verify", sign({}, {}, generated))).version, 2);
  assert.equal((await box.json("verify", sign({ kid: "own" }, {}, generated))).code, "unknown_kid");
  assert.equal((await box.json("verify", sign({ kid }))).code, "bad_signature");
});

Deno.test("through a rotation the application's tokens verify in the grace window, and are refused with its end", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  const tokens = [sign({ kid: "own" }), sign({ kid: "" }), sign({}), sign({}, { sub: 42 })];
  const { kid: first } = await box.json("status");
  const ours = await box.token();
  const verdicts = async (token: string) => {
    const [cli, http] = [await box.json("verify", token), await everyRoute(serving.url, token)];
    assert.equal(cli.code, http.verify.code);
    return cli.code ?? cli.version;
  };
  for (const token of [...tokens, ours]) assert.equal(await verdicts(token), 1);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  for (const token of [...tokens, ours]) assert.equal(await verdicts(token), 1);
  await box.run(["revoke"]);
  assert.equal(await verdicts(tokens[0]!), "unknown_kid");
  assert.equal(await verdicts(tokens[1]!), "unknown_kid");
  assert.equal(await verdicts(tokens[2]!), "bad_signature");
  assert.equal(await verdicts(tokens[3]!), "bad_signature");
  assert.equal(await verdicts(ours), "retired_kid");
  assert.equal(await verdicts(sign({ kid: first })), "retired_kid");
});

Deno.test("an imported HS256 secret becomes HS512 at a rotation, and its tokens stay HS256", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  const old = [sign({ kid: "own" }), sign({}), await box.token()];
  const { code, stdout, stderr } = await box.run(
    ["rotate", "--force", "--grace", "1h", "--alg", "HS512", "--json"],
  );
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).alg, "HS512");
  const status = await box.json("status");
  assert.deepEqual([status.alg, status.grace[0].alg], ["HS512", "HS256"]);
  const made = await box.token();
  assert.equal(JSON.parse(atob(made.split(".")[0]!)).alg, "HS512");
  const all: [string, number][] = [...old.map((token): [string, number] => [token, 1]), [made, 2]];
  for (const [token, version] of all) {
    assert.equal((await box.json("verify", token)).version, version);
    for (let round = 0; round < 2; round++) {
      assert.equal((await everyRoute(serving.url, token)).verify.version, version);
    }
  }
  // Each version has its algorithm and no other.
  assert.equal((await box.json("verify", sign({ alg: "HS512" }))).code, "bad_signature");
  assert.equal((await box.json("verify", sign({ alg: "HS512", kid: "own" }))).code, "unknown_kid");
  const { kid } = await box.json("status");
  assert.equal((await box.json("verify", sign({ kid }))).code, "alg_not_allowed");
  // A rotation goes on with the present settings, and says how its key is made.
  await box.run(["rotate", "--force", "--key-form", "raw"]);
  const last = await box.json("status");
  assert.deepEqual([last.alg, last.key_form], ["HS512", "raw"]);
  assert.equal((await box.json("verify", await box.token())).version, 3);
});

Deno.test("claims as applications write them: numbers, null, lists and fractions", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  const shapes: [claims: object, subject: string][] = [
    [{ sub: 42 }, "42"],
    [{ sub: 0 }, "0"],
    [{ sub: -7.5 }, "-7.5"],
    [{ sub: 2 ** 53 }, "9007199254740992"],
    [{ sub: 1e21 }, "1000000000000000000000"],
    [{ sub: null }, ""],
    [{ sub: "" }, ""],
    [{ sub: undefined }, ""],
    [{ jti: 17 }, "old"],
    [{ jti: null, iss: null, aud: null }, "old"],
    [{ aud: "one" }, "old"],
    [{ aud: ["one", "two"] }, "old"],
    [{ aud: [] }, "old"],
    [{ exp: now() + 600.25, iat: now() - 0.5 }, "old"],
    [{ nbf: now() }, "old"],
    [{ iat: now() + 300 }, "old"],
  ];
  for (const [claims, subject] of shapes) {
    const token = sign({}, claims);
    const what = JSON.stringify(claims);
    assert.equal((await verdictOf(box, token)).valid, true, what);
    const said = await everyRoute(serving.url, token);
    assert.deepEqual(said.statuses, [204, 200, 200, 200], what);
    assert.equal(said.subject, subject, what);
    assert.equal(said.session.sub ?? "", subject, what);
    assert.equal(said.active.sub ?? "", subject, what);
  }
  for (const sub of [true, {}, ["a"], [1]]) {
    assert.equal((await verdictOf(box, sign({}, { sub }))).code, "malformed");
  }
  assert.equal((await box.json("verify", sign({}, { exp: null }))).code, "malformed");
  assert.equal((await box.json("verify", sign({}, { sub: 42 }), "--sub", "42")).valid, true);
  assert.equal((await box.json("verify", sign({}, { sub: 42 }), "--sub", "4")).valid, false);
});

Deno.test("what rekey makes is held to RFC 7519: a number is no subject of its own tokens", async () => {
  using box = await imported();
  await box.run(["rotate", "--force"]);
  const { stdout: key } = await box.run(["exec", "--", "sh", "-c", 'printf %s "$JWT_SECRET"']);
  assert.equal((await box.json("verify", sign({}, { sub: 42 }, key))).code, "malformed");
  assert.equal((await box.json("verify", sign({}, { sub: "42" }, key))).valid, true);
});

Deno.test("a token whose jti is a number can be logged out", async () => {
  using box = await imported();
  await using serving = await Serving.start(box);
  const token = sign({ kid: "own" }, { sub: 42, jti: 17 });
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await everyRoute(serving.url, token)).valid, true);
  const out = await fetch(`${serving.url}/logout`, { method: "POST", headers });
  assert.equal(out.status, 204);
  assert.equal((await everyRoute(serving.url, token)).verify.code, "revoked");
  assert.equal((await box.json("verify", token)).code, "revoked");
});

Deno.test("headers as applications write them; what would change a token's meaning stays refused", async () => {
  using box = await imported();
  const fine: Header[] = [
    { typ: "jwt" },
    { typ: "JWT" },
    { typ: "at+jwt" },
    { x5t: "abc", "x5t#S256": "def" },
    { custom: { a: 1 } },
    { cty: "application/json" },
    { cty: "twilio-fpa;v=1" },
  ];
  for (const header of fine) {
    assert.equal((await verdictOf(box, sign(header))).valid, true, JSON.stringify(header));
  }
  const refused: [Header, string][] = [
    [{ crit: ["exp"] }, "malformed"],
    [{ crit: [] }, "malformed"],
    [{ b64: true }, "malformed"],
    [{ b64: false, crit: ["b64"] }, "malformed"],
    [{ jwk: { kty: "oct", k: "AA" } }, "malformed"],
    [{ cty: "JWT" }, "malformed"],
    [{ cty: "application/jwt" }, "malformed"],
    [{ cty: 1 }, "malformed"],
    [{ typ: 1 }, "malformed"],
    [{ alg: "none" }, "alg_not_allowed"],
    [{ alg: "HS512" }, "alg_not_allowed"],
    [{ alg: "hs256" }, "alg_not_allowed"],
    [{ alg: "RS256" }, "alg_not_allowed"],
  ];
  for (const [header, code] of refused) {
    assert.equal((await verdictOf(box, sign(header))).code, code, JSON.stringify(header));
  }
});
