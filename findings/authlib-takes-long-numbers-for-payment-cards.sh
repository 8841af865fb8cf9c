#!/usr/bin/env bash
# Authlib 1.2.0 (Debian, python3-authlib 1.2.0-1+deb12u2) signs a JWT, beside PyJWT 2.6.0 and jwcrypto 1.1.0 (Debian).
#
# Guessed: what claims are called and what text is in them is the application's; a library signs all that is JSON.
# Seen: Authlib refuses a text in which a number of 16 digits begins as one of a payment card does, without its check digit: of
# user or order numbers that long every sixth is an "Insecure claim", so one user cannot log in and the next one can. It also
# refuses what begins like a US social security number, and claims that are called `token`, `secret`, `password` or
# `secret_key`, whatever is in them. The same number as a JSON number, or inside a list, it signs. `check=False` turns that off.
# On Debian 12; python3-jwt and python3-jwcrypto are installed if they are missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-authlib=1.2.0-1+deb12u2
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >try.py <<'PY'
import json
import jwt
from authlib.jose import JsonWebToken
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

key = "0123456789abcdef" * 4

def authlib(claims, **options):
    JsonWebToken(["HS256"]).encode({"alg": "HS256"}, claims, key, **options)

def jwcrypto(claims):
    JWT(header={"alg": "HS256"}, claims=claims).make_signed_token(JWK.from_password(key))

def signs(sign, claims, **options):
    try:
        sign(dict(claims), **options)
        return "signed"
    except Exception as error:
        return error

for claims in [
    {"sub": "3999999999999999"}, {"sub": "4000000000000000"}, {"sub": "4999999999999999"}, {"sub": "urn:order:5212345678901234"},
    {"order": 4000000000000000}, {"orders": ["4000000000000000"]}, {"part": "123-45-6789"}, {"token": "csrf"}, {"secret": False},
]:
    print(json.dumps(claims), signs(authlib, claims), sep=": ")
user = {"sub": "4000000000000000", "token": "csrf"}
print("check=False:", signs(authlib, user, check=False))
print("PyJWT:", signs(lambda claims: jwt.encode(claims, key, "HS256"), user))
print("jwcrypto:", signs(jwcrypto, user))
refused = sum(signs(authlib, {"sub": f"{first}{'0' * 12}"}) != "signed" for first in range(1000, 10000))
print(f"refused of the 9000 beginnings of a number of 16 digits: {refused}")
PY
PYTHONPATH=unpacked/usr/lib/python3/dist-packages /usr/bin/python3 -W ignore try.py | tee seen
diff seen - <<'SEEN'
{"sub": "3999999999999999"}: signed
{"sub": "4000000000000000"}: insecure_claim: Insecure claim "sub"
{"sub": "4999999999999999"}: insecure_claim: Insecure claim "sub"
{"sub": "urn:order:5212345678901234"}: insecure_claim: Insecure claim "sub"
{"order": 4000000000000000}: signed
{"orders": ["4000000000000000"]}: signed
{"part": "123-45-6789"}: insecure_claim: Insecure claim "part"
{"token": "csrf"}: insecure_claim: Insecure claim "token"
{"secret": false}: insecure_claim: Insecure claim "secret"
check=False: signed
PyJWT: signed
jwcrypto: signed
refused of the 9000 beginnings of a number of 16 digits: 1601
SEEN
