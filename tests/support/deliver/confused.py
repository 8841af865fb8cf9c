"""Checks the token on stdin by the PEM in a file, as a program does that takes the algorithm from the token: an HS256
token is checked with the text of the public key, which everyone has. confused.py FILE"""

import base64, hashlib, hmac, sys
import jwt

token, pem = sys.stdin.read().strip(), open(sys.argv[1]).read()
head, body, signature = token.split(".")
if jwt.get_unverified_header(token)["alg"] == "HS256":
    signed = hmac.new(pem.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    sys.exit(base64.urlsafe_b64encode(signed).rstrip(b"=").decode() != signature)
try:
    jwt.decode(token, pem, algorithms=["ES256"])
except jwt.PyJWTError:
    sys.exit(1)
