#!/usr/bin/env bash
# The middleware `jwk` of hono 4.13.19 (npm) with `jwks_uri`, beside createRemoteJWKSet of jose 6.2.17 (npm).
#
# Guessed: a set that is at a URL is kept for some minutes, as jose, jwks-rsa, get-jwks and PyJWT keep it.
# Seen: hono fetches it for every request, whatever `Cache-Control` says. Each answer waits for the issuer, the issuer gets as
# many requests as the application, and while it is away a token that has just been accepted is answered with 500.
# `keys` can be a function instead of an array, which is where a cache can be.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund hono@4.13.19 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";

const { publicKey, privateKey } = await generateKeyPair("ES256");
const keys = [{ ...(await exportJWK(publicKey)), kid: "2026", alg: "ES256", use: "sig" }];
const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256", kid: "2026" })
  .setExpirationTime("1h").sign(privateKey);
let fetched = 0;
let status = 200;
const issuer = createServer((_request, response) => {
  fetched++;
  response.writeHead(status, { "content-type": "application/json", "cache-control": "public, max-age=3600" });
  response.end(JSON.stringify({ keys }));
}).listen(0, "127.0.0.1");
await once(issuer, "listening");
const uri = `http://127.0.0.1:${issuer.address().port}/`;

function hono(options) {
  const app = new Hono();
  app.onError((error, context) => context.text("", error.status ?? 500));
  app.use(jwk({ alg: ["ES256"], ...options }));
  app.get("/", (context) => context.text("hello"));
  return async () => (await app.request("/", { headers: { authorization: `Bearer ${token}` } })).status;
}
const remote = createRemoteJWKSet(new URL(uri));
let kept;
const asked = {
  "hono, jwks_uri": hono({ jwks_uri: uri }),
  "hono, keys: a function with a cache": hono({ keys: async () => kept ??= (await (await fetch(uri)).json()).keys }),
  "jose": () => jwtVerify(token, remote).then(() => "accepted"),
};
for (const [name, ask] of Object.entries(asked)) {
  fetched = 0;
  status = 200;
  const answers = new Set();
  for (let request = 0; request < 10; request++) answers.add(await ask());
  console.log(`${name}: 10 requests, ${[...answers]}, the set was fetched ${fetched} times`);
  status = 503;
  console.log(`${name}: the issuer is away, ${await ask()}`);
}
issuer.close();
issuer.closeAllConnections();
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
hono, jwks_uri: 10 requests, 200, the set was fetched 10 times
hono, jwks_uri: the issuer is away, 500
hono, keys: a function with a cache: 10 requests, 200, the set was fetched 1 times
hono, keys: a function with a cache: the issuer is away, 200
jose: 10 requests, accepted, the set was fetched 1 times
jose: the issuer is away, accepted
SEEN
