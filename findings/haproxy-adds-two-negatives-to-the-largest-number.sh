#!/usr/bin/env bash
# haproxy 2.6.12-1+deb12u4 (Debian): the converters add and sub with negative numbers.
#
# Guessed: int(-5),add(-1) is -6. So exp minus now, written `date(),neg,add(txn.exp)` or `var(txn.exp),sub(txn.now)`, is
# below zero for every token that is over.
# Seen: the sum of two negative numbers is 9223372036854775807. A token with a negative exp is valid for ever by both, so
# that exp has to be compared with 0 as well.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $proxy; cd / && rm -rf "$OLDPWD"' EXIT
command -v haproxy curl >/dev/null ||
  apt-get install -y -qq --no-install-recommends haproxy=2.6.12-1+deb12u4 curl >/dev/null
cat >haproxy.cfg <<CFG
defaults
  mode http
  timeout client 5s
frontend f
  bind unix@$PWD/http.sock
  http-request set-var(txn.exp) int(-1)
  http-request set-var(txn.now) date()
  http-request return status 200 content-type text/plain lf-string "5 - 6: %[int(5),sub(6)]\n-5 + 6: %[int(-5),add(6)]\n-5 + -1: %[int(-5),add(-1)]\n-5 - 1: %[int(-5),sub(1)]\nexp -1, added to minus now: %[date(),neg,add(txn.exp)]\nexp -1, less now: %[var(txn.exp),sub(txn.now)]\n"
CFG
haproxy -db -f haproxy.cfg 2>/dev/null & proxy=$!
until [ -S http.sock ]; do sleep 0.1; done
curl -s --unix-socket http.sock http://h/ | tee seen
diff seen - <<'SEEN'
5 - 6: -1
-5 + 6: 1
-5 + -1: 9223372036854775807
-5 - 1: 9223372036854775807
exp -1, added to minus now: 9223372036854775807
exp -1, less now: 9223372036854775807
SEEN
