#!/usr/bin/env bash
# PyJWKClient of PyJWT 2.6.0 (Debian, python3-jwt 2.6.0-1+deb12u1) while the issuer of a JWK Set is away.
#
# Guessed: it keeps the set for `lifespan`, 300 seconds if nothing is said, so all tokens of keys in it are verified as long,
# whether the issuer answers or not.
# Seen: that is so until one token comes with a `kid` that is not in the set. It makes the client fetch, and what the client keeps
# is overwritten when that fails too, with nothing: from then on every token is refused until the issuer is back. Anyone
# can send such a token. With cache_keys=True the keys that have been used stay; the others go too.
# On Debian 12; python3-jwt is installed if it is missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt, cryptography' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 python3-cryptography >/dev/null
cat >try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
from jwt.algorithms import RSAAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in ("a", "b", "unknown")}
tokens = {kid: jwt.encode({"sub": "alice"}, key, "RS256", {"kid": kid}) for kid, key in keys.items()}
public = [{**json.loads(RSAAlgorithm.to_jwk(keys[kid].public_key())), "kid": kid, "use": "sig"} for kid in ("a", "b")]
status = 200

class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": public}).encode())

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Issuer)
threading.Thread(target=server.serve_forever, daemon=True).start()

for options in {}, {"cache_keys": True}:
    status = 200
    client = jwt.PyJWKClient(f"http://127.0.0.1:{server.server_port}/", **options)

    def verify(kid):
        try:
            jwt.decode(tokens[kid], client.get_signing_key_from_jwt(tokens[kid]).key, algorithms=["RS256"])
            return "accepted"
        except jwt.PyJWTError:
            return "refused"

    print(options or "as it comes")
    print("  the issuer answers: a", verify("a"))
    status = 503
    print("  the issuer is away: a", verify("a"))
    print("  a token with an unknown kid:", verify("unknown"))
    print("  after it: a", verify("a") + ", b", verify("b"))
    status = 200
    print("  the issuer is back: b", verify("b"))
PY
/usr/bin/python3 try.py | tee seen
diff seen - <<'SEEN'
as it comes
  the issuer answers: a accepted
  the issuer is away: a accepted
  a token with an unknown kid: refused
  after it: a refused, b refused
  the issuer is back: b accepted
{'cache_keys': True}
  the issuer answers: a accepted
  the issuer is away: a accepted
  a token with an unknown kid: refused
  after it: a accepted, b refused
  the issuer is back: b accepted
SEEN
