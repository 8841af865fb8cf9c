#!/usr/bin/env bash
# Where two libraries of one author meet: oidc-provider 9.13.3 (npm) with a signing key that WebCrypto has made, and jose 6.2.17
# (npm), which verifies with the set that it publishes.
#
# Guessed: WebCrypto exports a private key as a JWK with `"key_ops":["sign"]`. What is published is the public half, for which
# that is ["verify"], or the member is left out, as `d` is.
# Seen: the public key is published with `key_ops` ["sign"], which allows no one to verify with it (RFC 7517 §4.3), and
# jose takes that at its word: "no applicable key found" for each token of that key. PyJWT 2.6.0 (Debian) does not look. Take
# `key_ops` out of a key before it goes there. And a public key alone, of a key that has left and whose tokens are still out, is
# refused: the private key has to stay for as long as they are.
# On Debian 12; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, cryptography' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-cryptography >/dev/null
npm install --silent --no-audit --no-fund oidc-provider@9.13.3 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createLocalJWKSet, jwtVerify, SignJWT } from "jose";
import Provider from "oidc-provider";

const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
const exported = await crypto.subtle.exportKey("jwk", privateKey);
const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256", kid: "2026" }).sign(privateKey);

async function published(key) {
  const provider = new Provider("http://localhost", { jwks: { keys: [key] } });
  const server = createServer(provider.callback()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const set = await (await fetch(`http://127.0.0.1:${server.address().port}/jwks`)).json();
  server.close();
  server.closeAllConnections();
  return set;
}

console.log("WebCrypto: key_ops", exported.key_ops.join());
const { key_ops: _left, ...without } = exported;
for (const [name, key] of Object.entries({ "as it was exported": exported, "without key_ops": without })) {
  const set = await published({ ...key, kid: "2026" });
  const result = await jwtVerify(token, createLocalJWKSet(set)).then(({ payload }) => payload.sub, (error) => error.message);
  console.log(`${name}: published with key_ops ${set.keys[0].key_ops}, jose: ${result}`);
  if (key === exported) writeFileSync("made.json", JSON.stringify({ set, token }));
}
const half = await crypto.subtle.exportKey("jwk", publicKey);
await published({ ...half, kid: "2025" })
  .then(() => console.log("a public key: published"), (error) => console.log("a public key:", error.message));
JS
cat >try.py <<'PY'
import json, jwt

made = json.load(open("made.json"))
client = jwt.PyJWKClient("http://localhost/jwks")
client.fetch_data = lambda: made["set"]
key = client.get_signing_key_from_jwt(made["token"]).key
print("PyJWT, as it was exported:", jwt.decode(made["token"], key, algorithms=["ES256"])["sub"])
PY
{ NODE_ENV=production node try.mjs 2>/dev/null && /usr/bin/python3 try.py; } | grep -v WARNING | tee seen
diff seen - <<'SEEN'
WebCrypto: key_ops sign
as it was exported: published with key_ops sign, jose: no applicable key found in the JSON Web Key Set
without key_ops: published with key_ops undefined, jose: alice
a public key: jwks.keys[0].d configuration must be a non-empty string
PyJWT, as it was exported: alice
SEEN
