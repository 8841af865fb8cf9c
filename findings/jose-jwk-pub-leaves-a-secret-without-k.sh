#!/usr/bin/env bash
# `jose jwk pub` of José 11-2+deb12u1 (Debian, package jose) makes the public set of a JWK Set with an HMAC secret, which is then
# read by jwcrypto 1.1.0 and PyJWT 2.6.0 (Debian).
#
# Guessed: "The output will contain only public key material" (its manual), so a secret is not in it: it has no public half.
# Seen: the secret's key stays, as an `oct` key without its `k`, which must be there (RFC 7518 §6.4.1), and with `key_ops`
# that are empty. jwcrypto and PyJWT then read none of the keys. And one Ed25519 key, whose private half is `d`
# as an EC key's is, ends the command with "Error removing private keys!" and no output.
# On Debian 12; python3-jwt and python3-jwcrypto are installed if they are missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq jose=11-2+deb12u1 libjose0=11-2+deb12u1 libjansson4
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
libraries=$(echo unpacked/usr/lib/*-linux-gnu)
jose() { LD_LIBRARY_PATH=$libraries unpacked/usr/bin/jose "$@"; }
cat >read.py <<'PY'
import json
from jwcrypto.jwk import JWKSet
from jwt import PyJWKSet

text = open("public.json").read()
for key in json.loads(text)["keys"]:
    print("a key with", ", ".join(f"{name} {key[name]}" if name in ("kty", "key_ops") else name for name in sorted(key)))
for name, read in ("jwcrypto", JWKSet.from_json), ("PyJWT", PyJWKSet.from_json):
    try:
        read(text)
        print(name, "reads the set")
    except Exception as error:
        print(name, "does not:", error)
PY
jose jwk gen -i '{"alg":"ES256"}' -o pair.json
jose jwk gen -i '{"alg":"HS256"}' -o secret.json
{
  printf '{"keys":[%s,%s]}' "$(cat pair.json)" "$(cat secret.json)" | jose jwk pub -i- -o public.json
  /usr/bin/python3 read.py
  openssl genpkey -algorithm ed25519 -out ed25519.pem
  /usr/bin/python3 -c 'from jwcrypto.jwk import JWK; print(JWK.from_pem(open("ed25519.pem", "rb").read()).export())' >ed25519.json
  jose jwk pub -i ed25519.json -o- 2>&1 || echo "exit status $?"
} | tee seen
diff seen - <<'SEEN'
a key with alg, crv, key_ops ['verify'], kty EC, x, y
a key with alg, key_ops [], kty oct
jwcrypto does not: Missing required value k
PyJWT does not: 'k'
Error removing private keys!
exit status 1
SEEN
