#!/usr/bin/env bash
# A JWK Set that has one and the same key twice, as it is when the sets of two sources are put together, in jose 6.2.17,
# jwks-rsa 4.1.0, aws-jwt-verify 5.2.1 and node-jose 2.2.0 (npm) and PyJWT 2.6.0 and jwcrypto 1.1.0 (Debian).
#
# Guessed: of two keys that are the same, member by member, it does not matter which one is taken.
# Seen: jose counts what fits the token's header and refuses when that is more than one: "multiple matching keys found". It
# does not look whether they differ, and the token's `kid` does not help. The others accept. So who merges sets has
# to leave out repetitions, or a key that two sources share is of no use to jose; or has to try the keys that the
# error can be iterated for.
# On Debian 12; python3-jwt and python3-jwcrypto are installed if they are missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
npm install --silent --no-audit --no-fund jose@6.2.17 jwks-rsa@4.1.0 jsonwebtoken@9.0.3 aws-jwt-verify@5.2.1 \
  node-jose@2.2.0 >/dev/null
cat >try.mjs <<'JS'
import { writeFileSync } from "node:fs";
import { JwtVerifier } from "aws-jwt-verify";
import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";
import jwksRsa from "jwks-rsa";
import nodeJose from "node-jose";

const { publicKey, privateKey } = await jose.generateKeyPair("RS256");
const key = { ...(await jose.exportJWK(publicKey)), kid: "2026", alg: "RS256", use: "sig" };
const set = { keys: [key, key] };
const claims = { sub: "alice", iss: "https://issuer.example", aud: "api" };
const token = await new jose.SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "2026" })
  .setExpirationTime("1h").sign(privateKey);
writeFileSync("made.json", JSON.stringify({ set, token }));

const verifiers = {
  "jose": async () => (await jose.jwtVerify(token, jose.createLocalJWKSet(set))).payload,
  "jwks-rsa": async () => {
    const client = jwksRsa({ jwksUri: "https://issuer.example/jwks", fetcher: async () => set });
    return jsonwebtoken.verify(token, (await client.getSigningKey("2026")).getPublicKey());
  },
  "aws-jwt-verify": () => {
    const verifier = JwtVerifier.create({ issuer: claims.iss, audience: "api", jwksUri: "https://issuer.example/jwks" });
    verifier.cacheJwks(set);
    return verifier.verifySync(token);
  },
  "node-jose": async () => {
    const store = await nodeJose.JWK.asKeyStore(set);
    return JSON.parse((await nodeJose.JWS.createVerify(store).verify(token)).payload);
  },
};
for (const [name, verify] of Object.entries(verifiers)) {
  try {
    console.log(`${name}: ${(await verify()).sub}`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
JS
cat >try.py <<'PY'
import json, jwt
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

made = json.load(open("made.json"))
client = jwt.PyJWKClient("https://issuer.example/jwks")
client.fetch_data = lambda: made["set"]
key = client.get_signing_key_from_jwt(made["token"]).key
print("PyJWT:", jwt.decode(made["token"], key, algorithms=["RS256"], audience="api")["sub"])
token = JWT(jwt=made["token"], key=JWKSet.from_json(json.dumps(made["set"])), algs=["RS256"])
print("jwcrypto:", json.loads(token.claims)["sub"])
PY
{ node try.mjs && /usr/bin/python3 try.py; } | tee seen
diff seen - <<'SEEN'
jose: multiple matching keys found in the JSON Web Key Set
jwks-rsa: alice
aws-jwt-verify: alice
node-jose: alice
PyJWT: alice
jwcrypto: alice
SEEN
