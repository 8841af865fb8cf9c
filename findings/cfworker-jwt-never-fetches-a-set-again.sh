#!/usr/bin/env bash
# @cfworker/jwt 7.0.4 (npm), `parseJwt`, with the JWK Set of an issuer that replaces its key.
#
# Guessed: the set is kept for some minutes, and a token with an unknown `kid` has it fetched again, as with jose and jwks-rsa.
# Seen: it is fetched once, and never again while the process lives. The tokens of a new key are refused, with "Error jwk
# not found", until the program restarts; those of a key that has left are accepted until then. And a set with an EC key
# beside the RSA key is an error for the first token; the second one is accepted.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund @cfworker/jwt@7.0.4 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import { parseJwt } from "@cfworker/jwt";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const keys = {};
const privateKeys = {};
for (const [kid, alg] of [["old", "RS256"], ["new", "RS256"], ["ec", "ES256"]]) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  keys[kid] = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  privateKeys[kid] = privateKey;
}

async function issuer() {
  const made = { inSet: [], fetched: 0 };
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    const jwks_uri = `${made.url}jwks`;
    if (request.url !== "/jwks") return response.end(JSON.stringify({ issuer: made.url, jwks_uri }));
    made.fetched++;
    response.end(JSON.stringify({ keys: made.inSet.map((kid) => keys[kid]) }));
  }).listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  made.url = `http://127.0.0.1:${server.address().port}/`;
  return made;
}
const now = Date.now;
async function ask(made, days, kid, ...set) {
  made.inSet = set;
  Date.now = () => now() + days * 86_400_000;
  const jwt = await new SignJWT({ sub: "alice", iss: made.url, aud: "api" }).setProtectedHeader({ alg: "RS256", typ: "JWT", kid })
    .setIssuedAt().setExpirationTime("60d").sign(privateKeys[kid]);
  const answer = await parseJwt({ jwt, issuer: made.url, audience: "api" })
    .then(({ valid, reason }) => valid ? "accepted" : reason, (error) => error.message);
  const short = answer.replace(made.url, "ISSUER").replace(/: Full JWK.*/, "");
  console.log(`day ${days}: ${set.join(" and ")} in the set, a token of ${kid}: ${short}, fetched ${made.fetched}`);
}
const one = await issuer();
await ask(one, 0, "old", "old");
await ask(one, 0, "new", "old", "new");
await ask(one, 30, "new", "new");
await ask(one, 30, "old", "new");
const other = await issuer();
await ask(other, 0, "old", "old", "ec");
await ask(other, 0, "old", "old", "ec");
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
day 0: old in the set, a token of old: accepted, fetched 1
day 0: old and new in the set, a token of new: Error retrieving public key to verify JWT signature: Error jwk not found. iss: ISSUER; kid: new;, fetched 1
day 30: new in the set, a token of new: Error retrieving public key to verify JWT signature: Error jwk not found. iss: ISSUER; kid: new;, fetched 1
day 30: new in the set, a token of old: accepted, fetched 1
day 0: old and ec in the set, a token of old: Error retrieving public key to verify JWT signature: Unsupported jwk key type (kty) "EC", fetched 1
day 0: old and ec in the set, a token of old: accepted, fetched 1
SEEN
