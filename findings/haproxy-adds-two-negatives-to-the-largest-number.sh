#!/usr/bin/env bash
# haproxy 2.6.12-1+deb12u4 (Debian): the converters add and sub with negative numbers.
#
# Guessed: int(-5),add(-1) is -6.
# Seen: the sum of two negative numbers is 9223372036854775807, with sub too. A comparison of two times by subtraction has
# to look at the sign of each first.
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
  http-request return status 200 content-type text/plain lf-string "5 - 6: %[int(5),sub(6)]\n-5 + 6: %[int(-5),add(6)]\n-5 + -1: %[int(-5),add(-1)]\n-5 - 1: %[int(-5),sub(1)]\n"
CFG
haproxy -db -f haproxy.cfg 2>/dev/null & proxy=$!
until [ -S http.sock ]; do sleep 0.1; done
curl -s --unix-socket http.sock http://h/ | tee seen
diff seen - <<'SEEN'
5 - 6: -1
-5 + 6: 1
-5 + -1: 9223372036854775807
-5 - 1: 9223372036854775807
SEEN
