#!/usr/bin/env bash
# haproxy 2.6.12-1+deb12u4 (Debian): jwt_verify with the key in a variable, here out of a map in base64 by b64dec.
#
# Guessed: a key is bytes, as b64dec gives them; a token that is signed with the whole key is accepted, and no other.
# Seen: the key ends at its first NUL byte. A token of a key with a NUL inside is refused, as one in five keys of 64 random
# bytes has. If the first byte is NUL (one key in 256) or the map has a kid without a value, the key is empty: a token that
# anyone has signed with nothing is accepted. Keys that are text are safe.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $proxy; cd / && rm -rf "$OLDPWD"' EXIT
command -v haproxy curl xxd >/dev/null ||
  apt-get install -y -qq --no-install-recommends haproxy=2.6.12-1+deb12u4 curl xxd >/dev/null
url() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
token() { # kid, key in hex
  local signed
  signed="$(printf '{"alg":"HS512","kid":"%s"}' "$1" | url).$(printf '{"sub":"alice"}' | url)"
  printf '%s.%s' "$signed" "$(printf %s "$signed" | openssl dgst -sha512 -mac HMAC -macopt "hexkey:$2" -binary | url)"
}
rest=$(printf '61%.0s' {1..63})
{
  echo "whole $(echo "62$rest" | xxd -r -p | openssl base64 -A)"
  echo "inside $(echo "6200$rest" | xxd -r -p | openssl base64 -A)"
  echo "first $(echo "00$rest" | xxd -r -p | openssl base64 -A)"
  echo "novalue "
} >keys
cat >haproxy.cfg <<CFG
defaults
  mode http
  timeout client 5s
frontend f
  bind unix@$PWD/http.sock
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.kid) var(txn.token),jwt_header_query('\$.kid')
  http-request set-var(txn.key) var(txn.kid),map_str($PWD/keys),b64dec
  http-request return status 200 content-type text/plain string "accepted" if { var(txn.token),jwt_verify("HS512",txn.key) -m int 1 }
  http-request return status 401 content-type text/plain string "refused"
CFG
haproxy -db -f haproxy.cfg 2>/dev/null & proxy=$!
until [ -S http.sock ]; do sleep 0.1; done
ask() { echo "$1: $(curl -s --unix-socket http.sock http://h/ -H "Authorization: Bearer $2")"; }
{
  ask "no NUL, signed with the key" "$(token whole "62$rest")"
  ask "no NUL, signed with nothing" "$(token whole 00)"
  ask "NUL inside, signed with the key" "$(token inside "6200$rest")"
  ask "NUL inside, signed with what is before it" "$(token inside 62)"
  ask "NUL first, signed with nothing" "$(token first 00)"
  ask "no value, signed with nothing" "$(token novalue 00)"
  ask "no such kid, signed with nothing" "$(token other 00)"
} | tee seen
diff seen - <<'SEEN'
no NUL, signed with the key: accepted
no NUL, signed with nothing: refused
NUL inside, signed with the key: refused
NUL inside, signed with what is before it: accepted
NUL first, signed with nothing: accepted
no value, signed with nothing: accepted
no such kid, signed with nothing: refused
SEEN
