"""An HTTP server that checks bearer tokens with a JWK Set in a file: verifier.py PORT FILE each|hangup.

`each`: it reads the file for each request. `hangup`: at the start and on SIGHUP, as many servers do.
"""

import base64, hashlib, hmac, json, os, signal, sys, time
import jwt
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, FILE, MODE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
SIGNATURE_ONLY = {"verify_aud": False, "verify_iss": False}
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_keys():
    with open(FILE) as file:
        return {key["kid"]: key for key in json.load(file)["keys"]}


held = {"keys": {} if MODE == "each" else read_keys()}


def reload(*_):
    held["keys"] = read_keys()


def accepts(token):
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(decoded(head)), json.loads(decoded(body))
        key = (read_keys() if MODE == "each" else held["keys"]).get(header["kid"])
        if not key or key["alg"] != header["alg"] or claims["exp"] <= time.time():
            return False
        if key["kty"] != "oct":
            jwt.decode(token, jwt.PyJWK(key).key, algorithms=[key["alg"]], options=SIGNATURE_ONLY)
            return True
        signed = hmac.new(decoded(key["k"]), f"{head}.{body}".encode(), HASHES[key["alg"]])
        return hmac.compare_digest(signed.digest(), decoded(signature))
    except (ValueError, KeyError, OSError, jwt.PyJWTError):
        return False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.send_response(200 if accepts(token) else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if MODE == "hangup":
    signal.signal(signal.SIGHUP, reload)
server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
print("ready", os.getpid(), flush=True)
server.serve_forever()
