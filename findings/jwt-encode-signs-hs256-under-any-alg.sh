#!/usr/bin/env bash
# jwt-encode 1.0.1 (npm) takes a header as its third argument and puts `alg` from it into the token, but always signs
# with HMAC-SHA-256.
#
# Guessed: `{alg: "HS512"}` chooses HMAC-SHA-512, as the header says.
# Seen: the header says HS512, the signature has 32 bytes and is HMAC-SHA-256 of the signing input. A verifier that is
# right (here jose 6.2.17) refuses the token as HS512. So a program that makes its tokens with jwt-encode has to go on
# with HS256 when its secret moves to another place.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund jwt-encode@1.0.1 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { createHmac } from "node:crypto";
import { jwtVerify } from "jose";
import encode from "jwt-encode";

const key = "0123456789abcdef".repeat(8);
const token = encode({ sub: "alice" }, key, { alg: "HS512" });
const [header, payload, signature] = token.split(".");
const sha256 = createHmac("sha256", key).update(`${header}.${payload}`).digest("base64url");
console.log("header", Buffer.from(header, "base64url").toString());
console.log("signature bytes", Buffer.from(signature, "base64url").length);
console.log("is HMAC-SHA-256", signature === sha256);
const result = await jwtVerify(token, Buffer.from(key)).then(() => "accepted", (error) => error.code);
console.log("jose", result);
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
header {"alg":"HS512","typ":"JWT"}
signature bytes 32
is HMAC-SHA-256 true
jose ERR_JWS_SIGNATURE_VERIFICATION_FAILED
SEEN
