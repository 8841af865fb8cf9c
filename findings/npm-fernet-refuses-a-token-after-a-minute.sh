#!/usr/bin/env bash
# fernet 0.4.0 (npm) reads tokens that MultiFernet of cryptography 38.0.4 (Debian, python3-cryptography) has made, and has moved
# to the current key with `rotate`.
#
# Guessed: a Fernet token is good until the reader gives a time to live: the format says "if the user has specified a maximum age",
# and Python looks at none by itself. Whatever was encrypted stays readable.
# Seen: with no `ttl` the npm library has one of a minute, which its readme does not name: "Invalid Token: TTL". A test
# that reads at once what it made passes. `rotate` keeps the time that a token was made, so one that has just got the
# current key is refused too. `ttl: 0` takes the limit away; any other number is in seconds.
# On Debian 12; python3-cryptography is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import cryptography' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-cryptography=38.0.4-3+deb12u1 >/dev/null
npm install --silent --no-audit --no-fund fernet@0.4.0 >/dev/null
cat >make.py <<'PY'
import json, time
from cryptography.fernet import Fernet, MultiFernet

former, current = Fernet.generate_key(), Fernet.generate_key()
keys = MultiFernet([Fernet(current), Fernet(former)])
tokens = {}
for name, age in {"made now": 0, "made 30 seconds ago": 30, "made 90 seconds ago": 90}.items():
    token = Fernet(former).encrypt_at_time(b"hello", int(time.time()) - age)
    tokens[name + ", rotated now"] = keys.rotate(token).decode()
for name, token in tokens.items():
    print(f"{name}: Python reads {keys.decrypt(token).decode()}")
json.dump({"key": current.decode(), "tokens": tokens}, open("tokens.json", "w"))
PY
cat >read.mjs <<'JS'
import { readFileSync } from "node:fs";
import fernet from "fernet";

const { key, tokens } = JSON.parse(readFileSync("tokens.json", "utf8"));
for (const options of [{}, { ttl: 0 }]) {
  for (const [name, token] of Object.entries(tokens)) {
    let answer;
    try {
      answer = `reads ${new fernet.Token({ secret: new fernet.Secret(key), token, ...options }).decode()}`;
    } catch (error) {
      answer = `refuses it, ${error.message}`;
    }
    console.log(`${name}: npm with ${JSON.stringify(options)} ${answer}`);
  }
}
JS
{
  /usr/bin/python3 make.py
  node read.mjs
} | tee seen
diff seen - <<'SEEN'
made now, rotated now: Python reads hello
made 30 seconds ago, rotated now: Python reads hello
made 90 seconds ago, rotated now: Python reads hello
made now, rotated now: npm with {} reads hello
made 30 seconds ago, rotated now: npm with {} reads hello
made 90 seconds ago, rotated now: npm with {} refuses it, Invalid Token: TTL
made now, rotated now: npm with {"ttl":0} reads hello
made 30 seconds ago, rotated now: npm with {"ttl":0} reads hello
made 90 seconds ago, rotated now: npm with {"ttl":0} reads hello
SEEN
