#!/usr/bin/env bash
# scitokens-verify 0.7.3 (Debian, scitokens-cpp 0.7.3-1+b1; the library of XRootD's tokens) with an issuer that replaces its key.
#
# Guessed: a token with a `kid` that is not in the set has it fetched at once, so a new key's tokens are accepted.
# Seen: they are refused. The set is in a file of the user's cache folder ($XDG_CACHE_HOME/scitokens), for ten minutes whatever
# comes: each of these runs is a process of its own, so a restart ends nothing. For that long the new key's tokens are refused and the old one's are accepted.
# While the issuer is away the set is used for four days. Removing the file has it fetched.
# As root on Debian 12 (a certificate is laid over the system's, for this script alone); the packages are installed if missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $issuer; cd / && rm -rf "$OLDPWD"' EXIT
hash scitokens-verify sqlite3 openssl python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends scitokens-cpp=0.7.3-1+b1 sqlite3 openssl python3 ca-certificates >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem -days 2 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
for name in old new; do
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key"
  openssl pkey -in "$name.key" -pubout -out "$name.pub"
done
cat >issuer.py <<'PY'
import base64, http.server, json, ssl, subprocess

def text(number):
    return base64.urlsafe_b64encode(number).decode().rstrip("=")

def key(name):
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", f"{name}.pub", "-outform", "DER"], capture_output=True).stdout
    return {"kty": "EC", "crv": "P-256", "kid": name, "alg": "ES256", "use": "sig", "x": text(der[-64:-32]), "y": text(der[-32:])}

class Issuer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        names = open("set").read().split()
        self.send_response(200 if names else 503)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if "well-known" in self.path:
            self.wfile.write(json.dumps({"issuer": url, "jwks_uri": f"{url}/jwks"}).encode())
        elif names:
            open("fetched", "a").write("x")
            self.wfile.write(json.dumps({"keys": [key(name) for name in names]}).encode())

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
url = f"https://localhost:{server.server_port}"
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.pem", "tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("url", "w").write(url)
server.serve_forever()
PY
: >fetched
echo old >set
python3 issuer.py & issuer=$!
until [ -s url ]; do sleep 0.1; done
cat >try.sh <<'TRY'
set -euo pipefail
mount --bind tls.pem /etc/ssl/certs/ca-certificates.crt
export XDG_CACHE_HOME=$PWD/cache
mkdir cache
token() {
  scitokens-create --cred "$1.pub" --key "$1.key" --keyid "$1" --issuer "$(cat url)" --profile scitokens2 \
    --claim sub=alice --claim aud=ANY --claim scope=read:/
}
# a set that is that many seconds older
older() {
  sqlite3 cache/scitokens/*.sqllite "UPDATE keycache SET keys = json_set(keys, '\$.next_update',
    json_extract(keys, '\$.next_update') - $1, '\$.expires', json_extract(keys, '\$.expires') - $1)"
}
ask() {
  answer=$(scitokens-verify "$(token "$2")" 2>&1 || true)
  echo "$1: a token of $2: $answer Fetched $(wc -c <fetched)"
}
ask "old in the set" old
echo old new >set
ask "both in the set" new
echo new >set
ask "new in the set" new
ask "new in the set" old
older 601
ask "ten minutes later" new
ask "ten minutes later" old
: >set
older 86400
ask "a day later, issuer away" new
older 345600
ask "five days later, issuer away" new
echo old >set
ask "old in the set" old
echo new >set
rm -r cache/scitokens
ask "file removed, new in the set" old
TRY
unshare --mount bash try.sh | tee seen
diff seen - <<'SEEN'
old in the set: a token of old: Token deserialization successful. Fetched 1
both in the set: a token of new: Failed to deserialize a token: Key ID is not published by the issuer. Fetched 1
new in the set: a token of new: Failed to deserialize a token: Key ID is not published by the issuer. Fetched 1
new in the set: a token of old: Token deserialization successful. Fetched 1
ten minutes later: a token of new: Token deserialization successful. Fetched 2
ten minutes later: a token of old: Failed to deserialize a token: Key ID is not published by the issuer. Fetched 2
a day later, issuer away: a token of new: Token deserialization successful. Fetched 2
five days later, issuer away: a token of new: Failed to deserialize a token: Failed to retrieve metadata provider information for issuer. Fetched 2
old in the set: a token of old: Token deserialization successful. Fetched 3
file removed, new in the set: a token of old: Failed to deserialize a token: Key ID is not published by the issuer. Fetched 4
SEEN
