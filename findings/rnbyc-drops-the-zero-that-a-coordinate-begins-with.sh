#!/usr/bin/env bash
# rnbyc 1.1.11 (Debian, with librhonabwy 1.1.11-1) makes a JWK of a P-256 key in PEM whose x begins with a zero byte.
#
# Guessed: x has 32 bytes, as RFC 7518 §6.2.1.2 wants for the curve, and the `kid` that rnbyc adds is the key's thumbprint
# (RFC 7638), which it looks like.
# Seen: the zero byte is left out, so x has 31. That is so for one key in 128, with x or y. jose 6.2.17 takes such a
# key and PyJWT 2.6.0 refuses it, so a set works for years and not after a rotation. Its thumbprint is another than the key's
# own. The `kid` is neither: it is the SHA-256 of the public key's DER.
# On Debian 12; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, cryptography' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-cryptography >/dev/null
apt-get -o APT::Sandbox::User=root download -qq rnbyc=1.1.11-1 librhonabwy1.1=1.1.11-1 liborcania2.3=2.3.2-1 libyder2.0=1.4.19-1
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
cat >key.mjs <<'JS'
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { SignJWT } from "jose";

let pair, jwk;
do {
  pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  jwk = pair.publicKey.export({ format: "jwk" });
} while (Buffer.from(jwk.x, "base64url")[0] !== 0);
writeFileSync("key.pem", pair.publicKey.export({ type: "spki", format: "pem" }));
writeFileSync("key.json", JSON.stringify(jwk));
writeFileSync("token", await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(pair.privateKey));
JS
cat >look.mjs <<'JS'
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint, importJWK, jwtVerify } from "jose";

const own = JSON.parse(readFileSync("key.json", "utf8"));
const [made] = JSON.parse(readFileSync("made.json", "utf8")).keys;
const bytes = (text) => Buffer.from(text, "base64url");
console.log("x has", bytes(made.x).length, "bytes, the same number:", bytes(own.x).subarray(1).equals(bytes(made.x)));
const [thumbprint, other] = [await calculateJwkThumbprint(own), await calculateJwkThumbprint(made)];
console.log("thumbprint is the key's own:", thumbprint === other);
const der = createPublicKey(readFileSync("key.pem")).export({ type: "spki", format: "der" });
console.log("kid is a thumbprint:", [thumbprint, other].includes(made.kid));
console.log("kid is the digest of the DER:", made.kid === createHash("sha256").update(der).digest("base64url"));
const result = await jwtVerify(readFileSync("token", "utf8"), await importJWK(made, "ES256"));
console.log("jose:", result.payload.sub);
JS
cat >look.py <<'PY'
import json, jwt
for name in "key.json", "made.json":
    key = json.load(open(name))
    key = key.get("keys", [key])[0]
    try:
        print("PyJWT,", name, jwt.decode(open("token").read(), jwt.PyJWK(key).key, algorithms=["ES256"])["sub"])
    except jwt.PyJWTError as error:
        print("PyJWT,", name, error)
PY
node key.mjs
LD_LIBRARY_PATH=$(echo unpacked/usr/lib/*-linux-gnu) unpacked/usr/bin/rnbyc --jwks --in-file key.pem >made.json
{ node look.mjs && /usr/bin/python3 look.py; } | tee seen
diff seen - <<'SEEN'
x has 31 bytes, the same number: true
thumbprint is the key's own: false
kid is a thumbprint: false
kid is the digest of the DER: true
jose: alice
PyJWT, key.json alice
PyJWT, made.json Coords should be 32 bytes for curve P-256
SEEN
