#!/usr/bin/env bash
# PyJWT 2.6.0 and Authlib 1.2.0 (Debian) and rnbyc 1.1.11 (Debian, with librhonabwy 1.1.11-1) make a JWK of a P-256 key in PEM whose x
# begins with a zero byte.
#
# Guessed: x has 32 bytes, as RFC 7518 §6.2.1.2 wants for the curve, and the `kid` that rnbyc adds is the key's thumbprint
# (RFC 7638), which it looks like.
# Seen: all three leave the zero byte out, so x has 31. That is so for one key in 128, with x or y. jose 6.2.17
# takes such a key; PyJWT refuses it, its own too. So what makes or reads key sets works for years and not after a
# rotation. The thumbprint is another than the key's own, Authlib's included, and rnbyc's `kid` is none: it is the SHA-256 of
# the public key's DER.
# On Debian 12; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, cryptography' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-cryptography >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-authlib=1.2.0-1+deb12u2 \
  rnbyc=1.1.11-1 librhonabwy1.1=1.1.11-1 liborcania2.3=2.3.2-1 libyder2.0=1.4.19-1
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
writeFileSync("own.json", JSON.stringify(jwk));
writeFileSync("token", await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(pair.privateKey));
JS
cat >make.py <<'PY'
import json
from authlib.jose import JsonWebKey
from jwt.algorithms import ECAlgorithm

pem = open("key.pem", "rb").read()
algorithm = ECAlgorithm(ECAlgorithm.SHA256)
open("PyJWT.json", "w").write(algorithm.to_jwk(algorithm.prepare_key(pem)))
key = JsonWebKey.import_key(pem)
open("Authlib.json", "w").write(json.dumps({**key.as_dict(), "kid": key.thumbprint()}))
PY
cat >look.mjs <<'JS'
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint, importJWK, jwtVerify } from "jose";

const own = await calculateJwkThumbprint(JSON.parse(readFileSync("own.json", "utf8")));
const der = createPublicKey(readFileSync("key.pem")).export({ type: "spki", format: "der" });
for (const name of ["PyJWT", "Authlib", "rnbyc"]) {
  const { x, kid, ...key } = JSON.parse(readFileSync(`${name}.json`, "utf8"));
  const { payload } = await jwtVerify(readFileSync("token", "utf8"), await importJWK({ x, ...key }, "ES256"));
  const made = await calculateJwkThumbprint({ x, ...key });
  const digests = { own, made, der: createHash("sha256").update(der).digest("base64url"), none: undefined };
  const kind = Object.keys(digests).find((each) => digests[each] === kid);
  console.log(`${name}: x has ${Buffer.from(x, "base64url").length} bytes, jose ${payload.sub}, kid ${kind}`);
}
JS
cat >read.py <<'PY'
import json, jwt
for name in "own", "PyJWT":
    try:
        key = jwt.PyJWK(json.load(open(f"{name}.json"))).key
        print(f"PyJWT reads {name}:", jwt.decode(open("token").read(), key, algorithms=["ES256"])["sub"])
    except jwt.PyJWTError as error:
        print(f"PyJWT reads {name}:", error)
PY
node key.mjs
PYTHONPATH=unpacked/usr/lib/python3/dist-packages /usr/bin/python3 make.py
libraries=$(echo unpacked/usr/lib/*-linux-gnu)
LD_LIBRARY_PATH=$libraries unpacked/usr/bin/rnbyc --jwks --in-file key.pem | node -e \
  'console.log(JSON.stringify(JSON.parse(require("node:fs").readFileSync(0)).keys[0]))' >rnbyc.json
{ node look.mjs && /usr/bin/python3 read.py; } | tee seen
diff seen - <<'SEEN'
PyJWT: x has 31 bytes, jose alice, kid none
Authlib: x has 31 bytes, jose alice, kid made
rnbyc: x has 31 bytes, jose alice, kid der
PyJWT reads own: alice
PyJWT reads PyJWT: Coords should be 32 bytes for curve P-256
SEEN
