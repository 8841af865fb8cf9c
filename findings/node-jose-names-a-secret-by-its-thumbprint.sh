#!/usr/bin/env bash
# node-jose 2.2.0 (npm) gives an HMAC secret without `kid` one: its RFC 7638 thumbprint, and writes that into the header of
# each token it signs.
#
# Guessed: a key without `kid` makes tokens without `kid`, as jose 6 does.
# Seen: each token carries a `kid` that depends on the secret alone. Who takes such a secret over has tokens out that name
# a kid which no key set has ever had: they must be tried by their signature.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund node-jose@2.2.0 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { calculateJwkThumbprint, decodeProtectedHeader, SignJWT } from "jose";
import nodeJose from "node-jose";

const jwk = { kty: "oct", k: Buffer.from("0123456789abcdef".repeat(4)).toString("base64url") };
const key = await nodeJose.JWK.asKey(jwk);
const options = { format: "compact", fields: { alg: "HS512" } };
const token = await nodeJose.JWS.createSign(options, key).update('{"sub":"alice"}').final();
const { kid } = decodeProtectedHeader(token);
console.log("node-jose: kid is the thumbprint", kid === await calculateJwkThumbprint(jwk, "sha256"));
const other = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "HS512" })
  .sign(Buffer.from(jwk.k, "base64url"));
console.log("jose: kid", decodeProtectedHeader(other).kid);
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
node-jose: kid is the thumbprint true
jose: kid undefined
SEEN
