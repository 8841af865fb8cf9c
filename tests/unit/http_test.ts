import assert from "node:assert/strict";
import { RekeyError } from "../../src/core/errors.ts";
import { makeRoutes } from "../../src/http/routes.ts";
import type { Services } from "../../src/http/route.ts";
import { app, good, ISSUER, VERIFIED } from "../support/http/app.ts";

Deno.test("the user is passed to a proxy in headers that no value can break out of", async () => {
  const response = await app().ask("/auth", good);
  assert.equal(response.status, 204);
  const subject = response.headers.get("x-auth-subject")!;
  assert.match(subject, /^[\x21-\x7e]*$/);
  assert.equal(decodeURIComponent(subject), VERIFIED.claims.sub);
  const claims = response.headers.get("x-auth-claims")!;
  const decoded = Uint8Array.fromBase64(claims, { alphabet: "base64url" });
  assert.deepEqual(JSON.parse(new TextDecoder().decode(decoded)), VERIFIED.claims);
});

Deno.test("every bad token gets a challenge, whose quotes it cannot break", async () => {
  const { ask } = app();
  const cases: [Record<string, string>, RegExp][] = [
    [{}, /^Bearer realm="rekey"$/],
    [{ authorization: "Basic eDp5" }, /error="invalid_token"/],
    [{ authorization: "Bearer" }, /error="invalid_token"/],
    [{ authorization: "Bearer a, Bearer b" }, /not one bearer token/],
    [{ authorization: "Bearer a b" }, /not one bearer token/],
    [{ authorization: "Bearer bad" }, /error_description="Cannot: 'quoted''"$/],
  ];
  for (const [headers, wanted] of cases) {
    const response = await ask("/auth", headers);
    assert.equal(response.status, 401);
    assert.match(response.headers.get("www-authenticate")!, wanted);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  }
  assert.equal((await ask("/auth", { authorization: "bearer  good" })).status, 204);
});

Deno.test("only our own names are answered, but for proxies, which pass on their clients'", async () => {
  const { ask } = app();
  const ours = ["127.0.0.1:8700", "localhost", "LOCALHOST:1", "[::1]:8700", "rekey.example"];
  for (const host of ours) assert.equal((await ask("/healthz", { host })).status, 200, host);
  const others = [
    "evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1:x",
  ];
  for (const host of others) {
    assert.equal((await ask("/healthz", { host })).status, 421, host);
    assert.equal((await ask("/auth", { host, ...good })).status, 204, host);
  }
  // What cannot be a Host at all would become a part of the URL.
  for (const host of ["a@localhost", "", "x y", "localhost/healthz?"]) {
    for (const path of ["/healthz", "/auth"]) {
      assert.equal((await ask(path, { host, ...good })).status, 421, `${path} of ${host}`);
    }
  }
});

Deno.test("a page of another site is refused, also one on another port of this machine", async () => {
  const { ask } = app();
  const host = "127.0.0.1:8700";
  for (const origin of ["http://127.0.0.1:8700", "https://rekey.example"]) {
    assert.equal((await ask("/healthz", { host, origin })).status, 200, origin);
  }
  const others = ["http://127.0.0.1:3000", "https://evil.example", "null", "file://", "x"];
  for (const origin of others) {
    assert.equal((await ask("/healthz", { host, origin })).status, 403, origin);
  }
});

Deno.test("a bug is answered with 500 and no details, and logged as a bug", async () => {
  const { ask, served } = app({ ready: () => Promise.reject(new TypeError("token s3cret")) });
  const response = await ask("/readyz");
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /s3cret|TypeError/);
  assert.ok(served[0]!.bug instanceof TypeError);
});

Deno.test("wrong methods say which are right; nothing that is asked for is repeated", async () => {
  const { ask, served } = app();
  const wrong = await ask("/verify", {}, "DELETE");
  assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"]);
  assert.equal((await ask("/auth", good, "HEAD")).status, 204);
  const response = await ask("/secret-path?token=x");
  assert.equal(response.status, 404);
  assert.doesNotMatch(await response.text() + JSON.stringify(served), /secret-path|token=/);
});

Deno.test("a refused body says where it is wrong and never what it holds", async () => {
  const { ask } = app();
  const json = { "content-type": "application/json; charset=utf-8" };
  const bodies = [
    '{"token":["s3cret"]}',
    '{"token":"s3cret","token":"x"}',
    '{"s3cret":1}',
    "s3cret",
  ];
  for (const body of bodies) {
    const response = await ask("/verify", json, "POST", body);
    assert.equal(response.status, 400, body);
    assert.doesNotMatch(await response.text(), /s3cret/);
  }
});

Deno.test("an answer that is kept is given only after the token was asked about once more", async () => {
  let asked = 0;
  const verified = { ...VERIFIED };
  const verify = () => {
    if (++asked > 3) throw new RekeyError("revoked", "Cannot accept the token: it is over");
    return verified;
  };
  const { ask, served } = app({ verify });
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await ask("/auth", good));
  assert.equal(answers[1], answers[2], "it is kept");
  assert.equal(asked, 4);
  assert.deepEqual(answers.map(({ status }) => status), [204, 204, 204, 401]);
  assert.deepEqual(served.map(({ status }) => status), [204, 204, 204, 401]);
});

Deno.test("a cached answer does not keep what belongs to one request only", async () => {
  const { ask } = app();
  for (const [path, method] of [["/auth", "GET"], ["/auth/x", "POST"]] as const) {
    const chunked = { ...good, "transfer-encoding": "chunked" };
    for (const before of [{}, {}, chunked, chunked]) {
      await ask(path, { ...good, ...before }, method);
    }
    const later = await ask(path, good, method);
    assert.equal(later.headers.get("connection"), null, path);
    assert.equal((await ask(path, chunked, method)).headers.get("connection"), "close", path);
    const head = await ask(path, good, "HEAD");
    assert.deepEqual([head.status, [...head.headers]], [later.status, [...later.headers]]);
  }
  const [nginx, envoy] = [await ask("/auth", good), await ask("/auth/", good)];
  assert.deepEqual([nginx.status, envoy.status], [204, 200]);
});

Deno.test("no answer may be stored, and no body is taken for what it is not", async () => {
  const { ask } = app();
  const policy = ({ headers }: Response) =>
    ["cache-control", "x-content-type-options", "referrer-policy"].map((name) => headers.get(name));
  const [short, long] = ["no-store, no-transform", "no-store"];
  const rules = {
    "/healthz": short,
    "/nowhere": short,
    "/auth": short,
    "/": long,
    "/openapi.json": long,
  };
  for (const [path, rule] of Object.entries(rules)) {
    const response = await ask(path, { host: "localhost" });
    assert.deepEqual(policy(response), [rule, "nosniff", "no-referrer"], path);
    await response.body?.cancel();
  }
  assert.deepEqual(policy(await ask("/auth", good)), ["no-store", null, null]);
});

const JWKS = "/.well-known/jwks.json";

const STATUS = { rotations: [], findings: [] };

Deno.test("the token of a monitoring system reads metrics and status, and nothing else", async () => {
  const secretHost = { metrics: () => Promise.resolve("m"), status: () => Promise.resolve(STATUS) };
  const { ask } = app({
    remote: true,
    isScraper: (token) => token === "scrape",
    secretHost: secretHost as unknown as Services["secretHost"],
  });
  const routes = makeRoutes("test", ISSUER).filter(({ method }) => method !== "ANY");
  const status = async ({ method, path }: typeof routes[number], token: string) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await ask(path, headers, method, method === "POST" ? "{}" : undefined)).status;
  };
  const granted: string[] = [];
  for (const route of routes) {
    const [own, other] = [await status(route, "scrape"), await status(route, "bad")];
    if (own !== other) granted.push(`${route.path} ${own}`);
  }
  assert.deepEqual(granted, ["/metrics 200", "/status.json 200"]);
});

Deno.test("other machines are not told where the secret is kept", async () => {
  const lost = new RekeyError("kek_missing", "Cannot find /home/op/x.kek", { hint: "See /home" });
  const verify = () => Promise.reject(lost);
  for (
    const [remote, told] of [[true, /^Cannot answer: the secret is unavailable$/], [
      false,
      /x\.kek/,
    ]] as const
  ) {
    const ready = verify;
    const { ask } = app({ remote, verify, ready, publicKeys: verify });
    for (const path of [JWKS, "/readyz", "/auth"]) {
      const response = await ask(path, good);
      assert.equal(response.status, 503, path);
      const { code, detail, hint } = await response.json();
      assert.equal(code, "kek_missing");
      assert.match(detail, told);
      assert.equal(/home/.test(hint), !remote);
    }
  }
});
