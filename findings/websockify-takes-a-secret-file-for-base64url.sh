#!/usr/bin/env bash
# websockify 0.10.0 (Debian, 0.10.0+dfsg1-4+b1; noVNC's proxy) with `--token-plugin JWTTokenApi` and a file with an HMAC secret
# as `--token-source`, and jwcrypto 1.1.0-1+deb12u1.
#
# Guessed: the content of the file is the secret, or with one newline at its end, as in most programs that have a file for it.
# Seen: the content is the base64url of the secret (`k` of a JWK), without a newline. A secret as text is decoded all the same
# when its characters allow that: websockify starts, and refuses every token with "Verification failed". With a newline or
# another character it is "Failed to correctly parse key data!". The file is read for each connection.
# On Debian 12; what is missing is installed.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import websockify, jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends websockify=0.10.0+dfsg1-4+b1 python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
cat >try.py <<'PY'
import base64, contextlib, io
from jwcrypto import jwk, jwt
from websockify.token_plugins import JWTTokenApi

def base64url(secret):
    return base64.urlsafe_b64encode(secret).rstrip(b"=")

def token(secret):
    made = jwt.JWT(header={"alg": "HS256"}, claims={"host": "vnc.example", "port": "5900"})
    made.make_signed_token(jwk.JWK(kty="oct", k=base64url(secret).decode()))
    return made.serialize()

former, current = b"a-former-secret-of-32-characters", b"the_current_secret_of_32_letters"
plugin = JWTTokenApi("secret")

def ask(what, content, secret):
    open("secret", "wb").write(content)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        found = plugin.lookup(token(secret))
    print(f"{what}: {'accepted' if found else errors.getvalue().strip().split('[')[0]}")

ask("text", former, former)
ask("text and a newline", former + b"\n", former)
ask("hex", former.hex().encode(), former)
ask("base64url", base64url(former), former)
ask("base64url and a newline", base64url(former) + b"\n", former)
ask("base64url of the next secret, a token of it", base64url(current), current)
ask("base64url of the next secret, a token of the former", base64url(current), former)
PY
/usr/bin/python3 try.py | tee seen
diff seen - <<'SEEN'
text: Failed to parse token: Verification failed for all signatures
text and a newline: Failed to correctly parse key data!
hex: Failed to parse token: Verification failed for all signatures
base64url: accepted
base64url and a newline: Failed to correctly parse key data!
base64url of the next secret, a token of it: accepted
base64url of the next secret, a token of the former: Failed to parse token: Verification failed for all signatures
SEEN
