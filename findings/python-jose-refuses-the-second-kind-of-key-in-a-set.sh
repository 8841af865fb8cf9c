#!/usr/bin/env bash
# python-jose 3.3.0 (Debian, python3-jose 3.3.0+dfsg-4) with a JWK Set of two kinds of keys, as it is while an issuer goes
# from RS256 to ES256.
#
# Guessed: the key is the one with the token's `kid`; or all are tried, and one of another kind does not fit.
# Seen: the `kid` counts for nothing. The keys are tried in their order, each as one for the token's `alg`, and the first of
# another kind ends it all with "Incorrect key type". So the tokens of the key that comes second are refused, in either
# order; with two curves of one kind, or two RSA keys, all is well. Choose the key by its `kid` and give python-jose that one.
# On Debian 12; all goes to a temporary folder but python3-cryptography and python3-rsa, which are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import cryptography, rsa' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-cryptography python3-rsa >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-jose=3.3.0+dfsg-4 python3-ecdsa=0.18.0-3
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
cat >make.mjs <<'JS'
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { SignJWT } from "jose";

const pairs = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
};
const made = {};
for (const [alg, { publicKey, privateKey }] of Object.entries(pairs)) {
  const key = { ...publicKey.export({ format: "jwk" }), kid: `of-${alg}`, alg, use: "sig" };
  const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg, kid: key.kid }).sign(privateKey);
  made[alg] = { key, token };
}
writeFileSync("made.json", JSON.stringify(made));
JS
cat >verify.py <<'PY'
import json
from jose import JOSEError, jwt

made = json.load(open("made.json"))

def verify(token, keys):
    try:
        return jwt.decode(token, keys, algorithms=list(made))["sub"]
    except JOSEError as error:
        return error

for names in ["ES256", "RS256"], ["RS256", "ES256"], ["ES384", "ES256"]:
    for name in names:
        answer = verify(made[name]["token"], {"keys": [made[each]["key"] for each in names]})
        print(f"{' and '.join(names)}, a token with {name}: {answer}")
print("the key with its kid:", verify(made["RS256"]["token"], made["RS256"]["key"]))
PY
node make.mjs
PYTHONPATH=unpacked/usr/lib/python3/dist-packages /usr/bin/python3 verify.py | tee seen
diff seen - <<'SEEN'
ES256 and RS256, a token with ES256: alice
ES256 and RS256, a token with RS256: Incorrect key type. Expected: 'RSA', Received: EC
RS256 and ES256, a token with RS256: alice
RS256 and ES256, a token with ES256: Incorrect key type. Expected: 'EC', Received: RSA
ES384 and ES256, a token with ES384: alice
ES384 and ES256, a token with ES256: alice
the key with its kid: alice
SEEN
