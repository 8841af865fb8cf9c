#!/usr/bin/env bash
# haproxy 2.6.12-1+deb12u4 (Debian): `jwt_payload_query('$.sub')` of a token in which the user is a number, as many applications have it.
#
# Guessed: what goes into a header is the text that is in the token, 1234567, as it is for a user who is a string.
# Seen: a number has six digits: the users 1234567 and 1234568 are both 1.23457e+06 to the application behind. Up to 999999 all is
# well. With 'int' as second argument all digits are there, and a user who is a string is passed on as before; a number beyond
# 2^53 is empty then, and a fraction loses its end.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $proxy; cd / && rm -rf "$OLDPWD"' EXIT
hash haproxy curl 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends haproxy=2.6.12-1+deb12u4 curl >/dev/null
cat >haproxy.cfg <<CFG
defaults
  mode http
  timeout client 5s
frontend f
  bind unix@$PWD/http.sock
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.plain) var(txn.token),jwt_payload_query('\$.sub')
  http-request set-var(txn.int) var(txn.token),jwt_payload_query('\$.sub','int')
  http-request return status 200 content-type text/plain lf-string "%[var(txn.plain)], with int: %[var(txn.int)]\n"
CFG
haproxy -db -f haproxy.cfg 2>/dev/null & proxy=$!
until [ -S http.sock ]; do sleep 0.1; done
encoded() { printf %s "$1" | basenc --base64url -w 0 | tr -d =; }
for sub in 999999 1234567 1234568 9007199254740991 99999999999999999 1.5 '"alice"' '"1234567"'; do
  token=$(encoded '{"alg":"HS256"}').$(encoded "{\"sub\":$sub}").AA
  echo "$sub: $(curl -s --unix-socket http.sock http://h/ -H "Authorization: Bearer $token")"
done | tee seen
diff seen - <<'SEEN'
999999: 999999, with int: 999999
1234567: 1.23457e+06, with int: 1234567
1234568: 1.23457e+06, with int: 1234568
9007199254740991: 9.0072e+15, with int: 9007199254740991
99999999999999999: 1e+17, with int: 
1.5: 1.5, with int: 1
"alice": alice, with int: alice
"1234567": 1234567, with int: 1234567
SEEN
