import assert from "node:assert/strict";
import { join } from "node:path";
import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } from "jose";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { Box } from "../support/process/box.ts";
import { Serving } from "../support/http/serving.ts";
import { initialised } from "../support/process/initialised.ts";
import { query, queryRow, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

const SET = "/.well-known/jwks.json";
const DISCOVERY = "/.well-known/openid-configuration";

async function withPair(alg = "ES256"): Promise<Box> {
  const box = new Box();
  assert.equal((await box.run(["init", "--alg", alg])).code, 0);
  return box;
}

Deno.test("jwks prints public keys that verify tokens, and nothing of an HMAC secret", async () => {
  using box = await initialised();
  const none = await box.run(["jwks"]);
  assert.deepEqual([none.code, JSON.parse(none.stdout)], [0, { keys: [] }]);
  assert.match(none.stderr, /^no key is public: tokens are signed with an HMAC secret/);
  const hmac = await box.token();
  await box.run(["rotate", "--force", "--alg", "ES256", "--grace", "1h"]);
  await box.run(["rotate", "--force", "--alg", "Ed25519", "--grace", "1h"]);
  const { keys, ...others } = await box.json("jwks");
  assert.deepEqual(others, {});
  assert.deepEqual(keys.map(({ alg }: { alg: string }) => alg), ["Ed25519", "ES256"]);
  for (const key of keys) {
    assert.equal(await calculateJwkThumbprint(key), key.kid);
    assert.equal(key.use, "sig");
    assert.equal(key.d ?? key.k, undefined);
  }
  const verifier = createLocalJWKSet({ keys });
  const { payload } = await jwtVerify(await box.token("bob"), verifier);
  assert.equal(payload.sub, "bob");
  await assert.rejects(jwtVerify(hmac, verifier));
});

Deno.test("jwks --pem prints the key that signs now, and fails when there is none", async () => {
  using box = await withPair("RS256");
  const { stdout } = await box.run(["jwks", "--pem"]);
  const { kid, alg, pem } = await box.json("jwks", "--pem");
  assert.equal(pem.trim(), stdout.trim());
  assert.equal(await calculateJwkThumbprint(createPublicKey(stdout)), kid);
  assert.equal(alg, "RS256");
  await box.run(["rotate", "--force", "--alg", "HS512"]);
  const refused = await box.run(["jwks", "--pem"]);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /hint: Rotate to a key pair/);
});

Deno.test("jwks prints nothing when a key cannot be read", async () => {
  using box = await withPair();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const kek = [...box.files().keys()].find((path) => path.endsWith(".kek"))!;
  Deno.removeSync(kek);
  const refused = await box.run(["jwks"]);
  assert.deepEqual([refused.code, refused.stdout], [4, ""]);
  assert.match(refused.stderr, /^error: /);
});

Deno.test("serve answers the set to anyone: the next request after a rotation has the new one", async () => {
  using box = await withPair();
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const ask = (headers: Record<string, string> = {}) => fetch(serving.url + SET, { headers });
  for (let round = 0; round < 5; round++) {
    const now = await box.json("jwks");
    const response = await ask({ origin: "https://page.example" });
    assert.deepEqual(await response.json(), now);
    const etag = response.headers.get("etag")!;
    const known = await ask({ "if-none-match": etag });
    assert.deepEqual([known.status, await known.text()], [304, ""]);
    await box.run(["rotate", "--force", ...round % 2 ? ["--grace", "1h"] : []]);
    const changed = await ask({ "if-none-match": etag });
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.get("etag"), etag);
    await changed.body?.cancel();
  }
});

Deno.test("a key leaves the served set with its grace period, by itself", async () => {
  using box = await withPair();
  await using serving = await Serving.start(box);
  const ask = async () => {
    const response = await serving.get(SET);
    const age = Number(/max-age=(\d+)/.exec(response.headers.get("cache-control")!)![1]);
    return { age, keys: (await response.json()).keys.length };
  };
  // A machine that is busy with something else may take longer than a short grace period to ask.
  for (const seconds of [6, 30, 150]) {
    const { grace_until } = await box.json("rotate", "--force", "--grace", `${seconds}s`);
    const during = await ask();
    if (Date.now() >= Date.parse(grace_until)) continue;
    assert.ok(during.keys === 2 && during.age < seconds, JSON.stringify(during));
    break;
  }
  await until(async () => (await ask()).keys === 1);
  assert.equal((await ask()).age, 600);
});

Deno.test("requests for a key that cannot be read do not fill the audit log, and find it when it is back", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init", "--alg", "ES256"])).code, 0);
  const old = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const { value } = queryRow(box, "SELECT value FROM settings WHERE key = 'jwt_secret.v1'")!;
  sql(box, "DELETE FROM settings WHERE key = 'jwt_secret.v1'");
  const started = performance.now();
  {
    await using serving = await Serving.start(box, ["--workers", "1"]);
    const forged = { authorization: `Bearer ${old.slice(0, -8)}AAAAAAAA` };
    for (let n = 0; n < 60; n++) {
      assert.equal(await serving.status(serving.get(SET)), 503);
      assert.equal(await serving.status(fetch(`${serving.url}/auth`, { headers: forged })), 503);
    }
    await serving.stop();
  }
  const halves = (performance.now() - started) / 500;
  const { length } = query(box, "SELECT * FROM rekey_audit WHERE event = 'Secret storage error'");
  assert.ok(length <= halves + 2, `${length} rows in ${halves / 2} s`);
  await using serving = await Serving.start(box);
  assert.equal(await serving.status(serving.get(SET)), 503);
  sql(box, `INSERT INTO settings (key, value) VALUES ('jwt_secret.v1', '${value}')`);
  await until(async () => await serving.status(serving.get(SET)) === 200);
});

Deno.test("where other machines can connect, the set needs no token and any name of the host does", async () => {
  using box = await withPair();
  const files = await certify(box, "one");
  const remote = ["--listen", "0.0.0.0:0", "--allow-remote", ...tlsFlags(files)];
  await using serving = await Serving.start(box, remote);
  const [, port] = /:(\d+)$/m.exec(serving.stderr)!;
  const curl = async (path: string) => {
    const to = ["--resolve", `rekey.example:${port}:127.0.0.1`, "--insecure"];
    const args = ["-s", ...to, "-w", "\n%{http_code}", `https://rekey.example:${port}${path}`];
    return (await box.exec("curl", args)).stdout.split("\n");
  };
  const [text, status] = await curl(SET);
  assert.equal(status, "200");
  assert.deepEqual(JSON.parse(text!), await box.json("jwks"));
  assert.equal((await curl("/metrics")).at(-1), "421");
});

Deno.test("the set is answered on a Unix socket", async () => {
  using box = await withPair();
  const socket = join(box.home, "socket");
  await using _serving = await Serving.start(box, ["--unix", socket]);
  const args = ["-s", "--unix-socket", socket, `http://any.example${SET}`];
  const { stdout } = await box.exec("curl", args);
  assert.deepEqual(JSON.parse(stdout), await box.json("jwks"));
});

Deno.test("--issuer answers where the keys are, and says when tokens do not name it", async () => {
  using box = await withPair();
  {
    await using serving = await Serving.start(box);
    assert.equal(await serving.status(serving.get(DISCOVERY)), 404);
  }
  const issuer = "https://auth.example/app";
  const warned = /warning: tokens get no iss .*rekey policy set --iss https:\/\/auth\.example\/app/;
  await using serving = await Serving.start(box, ["--issuer", issuer]);
  await serving.until(() => warned.test(serving.stderr));
  const answer = await (await serving.get(DISCOVERY)).json();
  assert.deepEqual(answer, {
    issuer,
    jwks_uri: `${issuer}${SET}`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
  await box.run(["policy", "set", "--iss", issuer]);
  await using again = await Serving.start(box, ["--issuer", issuer]);
  assert.doesNotMatch(again.stderr, /warning/);
});

Deno.test("--issuer takes a URL that can be an issuer", async () => {
  using box = await withPair();
  for (
    const wrong of ["auth.example", "ftp://a", "https://a?x=1", "https://a#b", "https://u:p@a"]
  ) {
    const { code, stderr } = await box.run(["serve", "--issuer", wrong]);
    assert.equal(code, 2, wrong);
    assert.match(stderr, /Write https:/);
  }
});

Deno.test("who ends a key pair is told how long caches may go on with it; nothing is said of an HMAC secret", async () => {
  using box = new Box();
  await box.run(["init"]);
  const said = async (...args: string[]) => (await box.run(args)).stderr;
  const kept = (version: number) =>
    new RegExp(`keep the public keys may accept tokens of version ${version} for 10 minutes`);
  assert.doesNotMatch(
    await said("rotate", "--force", "--alg", "ES256"),
    /keep the public keys may accept/,
  );
  assert.match(await said("rotate", "--force"), kept(2));
  assert.doesNotMatch(await said("rotate", "--force", "--grace", "1h"), /may accept/);
  assert.match(await said("revoke"), kept(3));
});
