#!/usr/bin/env bash
# The command `jwt` of golang-jwt 4.4.3 (Debian, jwt 4.4.3-1+b4): claims that are given with -claim.
#
# Guessed: `-claim exp=4000000000` is a number in the token and `-claim admin=true` a boolean, or else the command, which knows what
# an `exp` is, refuses; and `jwt -verify` accepts what `jwt -sign` has made with the same key.
# Seen: every value is a string. `jwt -verify` then says "Token is expired", of a token for the year 2096, and jose 6.2.17
# (npm) that `exp` must be a number. Claims in JSON on standard input are right, but with -claim beside them
# those are strings all the same. A whole number above 2^53 in that JSON is another one in the token.
# On Debian 12; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq jwt=4.4.3-1+b4
dpkg-deb -x jwt_*.deb unpacked
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
printf 0123456789abcdef0123456789abcdef >key
cat >verify.mjs <<'JS'
import { readFileSync } from "node:fs";
import { jwtVerify } from "jose";

await jwtVerify(readFileSync("token", "utf8").trim(), readFileSync("key")).then(
  ({ payload }) => console.log("  jose:", payload.sub),
  (error) => console.log("  jose:", error.message),
);
JS
jwt() { unpacked/usr/bin/jwt -key key -alg HS256 "$@" 2>&1; }
try() {
  echo "$1:"
  jwt "${@:2}" >token
  echo "  $(cut -d. -f2 token | node -e 'console.log(Buffer.from(require("node:fs").readFileSync(0, "utf8"), "base64url").toString())')"
  echo "  jwt: $(jwt -compact -verify token || true)"
  node verify.mjs
}
{
  try "claims by -claim" -claim sub=alice -claim exp=4000000000 -claim admin=true -sign +
  echo '{"sub":"alice","exp":4000000000}' | try "claims in JSON" -sign -
  echo '{"sub":"alice"}' | try "exp by -claim, the rest in JSON" -claim exp=4000000000 -sign -
  echo '{"sub":"alice","id":9007199254740993}' | try "a large number" -sign -
} | tee seen
diff seen - <<'SEEN'
claims by -claim:
  {"admin":"true","exp":"4000000000","sub":"alice"}
  jwt: Error: couldn't parse token: Token is expired
  jose: "exp" claim must be a number
claims in JSON:
  {"exp":4000000000,"sub":"alice"}
  jwt: {"exp":4000000000,"sub":"alice"}
  jose: alice
exp by -claim, the rest in JSON:
  {"exp":"4000000000","sub":"alice"}
  jwt: Error: couldn't parse token: Token is expired
  jose: "exp" claim must be a number
a large number:
  {"id":9007199254740992,"sub":"alice"}
  jwt: {"id":9007199254740992,"sub":"alice"}
  jose: alice
SEEN
