#!/usr/bin/env bash
# fastify-jwt-jwks 3.1.2 in fastify 5.12.8 (npm), when a token of a new key comes before the set at the URL has that key.
#
# Guessed: the token is refused, and the set is fetched again for the next token with that `kid`, some seconds later at most.
# Seen: it notes that the `kid` is missing, and does not ask again for a week (`secretsTtl`, which is said to be how long a key
# is kept). The set has had the key all that time; only a restart, or the week, has its tokens accepted. A key that has left
# is accepted for the same week. So the set must have a key before the key signs, and `secretsTtl` is better a few minutes.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund fastify@5.12.8 fastify-jwt-jwks@3.1.2 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import Fastify from "fastify";
import jwtJwks from "fastify-jwt-jwks";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const issuer = "https://issuer.example/";
const keys = {};
const tokens = {};
for (const kid of ["old", "new"]) {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  keys[kid] = { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" };
  tokens[kid] = await new SignJWT({ sub: "alice", iss: issuer }).setProtectedHeader({ alg: "RS256", kid })
    .setExpirationTime("30d").sign(privateKey);
}
let inSet = [];
let fetched = 0;
const server = createServer((_request, response) => {
  fetched++;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ keys: inSet.map((kid) => keys[kid]) }));
}).listen(0, "127.0.0.1");
await once(server, "listening");
const jwksUrl = `http://127.0.0.1:${server.address().port}/`;

async function started() {
  const app = Fastify();
  await app.register(jwtJwks, { jwksUrl, issuer });
  app.get("/", { preValidation: app.authenticate }, () => "hello");
  return app;
}
const now = Date.now;
let app = await started();
async function ask(when, kid, ...set) {
  inSet = set;
  const { statusCode } = await app.inject({ url: "/", headers: { authorization: `Bearer ${tokens[kid]}` } });
  console.log(`${when}: ${set.join(" and ")} in the set, a token of ${kid}: ${statusCode}, fetched ${fetched}`);
}
await ask("at first", "old", "old");
await ask("too early", "new", "old");
await ask("a moment later", "new", "old", "new");
for (const days of [6, 8]) {
  Date.now = () => now() + days * 86_400_000;
  await ask(`after ${days} days`, "new", "new");
  await ask(`after ${days} days`, "old", "new");
}
Date.now = now;
app = await started();
await ask("restarted", "new", "new");
server.close();
server.closeAllConnections();
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
at first: old in the set, a token of old: 200, fetched 1
too early: old in the set, a token of new: 401, fetched 2
a moment later: old and new in the set, a token of new: 401, fetched 2
after 6 days: new in the set, a token of new: 401, fetched 2
after 6 days: new in the set, a token of old: 200, fetched 2
after 8 days: new in the set, a token of new: 200, fetched 3
after 8 days: new in the set, a token of old: 401, fetched 4
restarted: new in the set, a token of new: 200, fetched 5
SEEN
