#!/usr/bin/env bash
# node-jose 2.2.0 (npm) takes a JWK Set in which one key is an OKP key (RFC 8037), such as of Ed25519.
#
# Guessed: a key of a type that a library does not know is left out, and the others are taken (RFC 7517 §5).
# Seen: asKeyStore() fails with "unsupported key type" and there is no set at all: tokens of the ES256 key in it are refused
# from when the issuer adds an Ed25519 key, before it signs with it. Filter the set by `kty` first.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund node-jose@2.2.0 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import nodeJose from "node-jose";

const publicOf = (pair, kid) => ({ ...pair.publicKey.export({ format: "jwk" }), kid });
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256", kid: "es256" }).sign(pair.privateKey);
const beside = {
  "alone": [],
  "RSA": [publicOf(generateKeyPairSync("rsa", { modulusLength: 2048 }), "other")],
  "Ed25519": [publicOf(generateKeyPairSync("ed25519"), "other")],
};
for (const [name, others] of Object.entries(beside)) {
  try {
    const store = await nodeJose.JWK.asKeyStore({ keys: [publicOf(pair, "es256"), ...others] });
    const { payload } = await nodeJose.JWS.createVerify(store).verify(token);
    console.log(`${name}: of ${others.length + 1} keys ${store.all().length}, ${payload}`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
alone: of 1 keys 1, {"sub":"alice"}
RSA: of 2 keys 2, {"sub":"alice"}
Ed25519: unsupported key type
SEEN
