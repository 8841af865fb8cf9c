#!/usr/bin/env bash
# The `typ` of a token's header in two verifiers: Dovecot 1:2.3.19.1+dfsg1-2.1+deb12u7 (Debian) with a passdb `oauth2` that checks
# access tokens by itself, and libjwt 1.10.2-1+deb12u1 (Debian), with which Slurm checks its tokens.
#
# Guessed: `typ` is for the application (RFC 7519 §5.1), so the library lets it pass; access tokens of OAuth 2.0 have `at+jwt`
# (RFC 9068 §2.1), so a server that takes nothing but access tokens takes it; upper and lower case are the same (RFC 7515 §4.1.9).
# And `exp` may have a fraction (RFC 7519 §2).
# Seen: both refuse `at+jwt`, with the right key. To Dovecot it must be `JWT`, in capitals, and be there; libjwt takes `jwt`
# too, and tokens without. An `exp` with a fraction is "Malformed" to Dovecot.
# As root on Debian 12; what is missing is installed, the rest goes to a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
cd "$folder"
chmod 711 .
trap 'doveadm -c "$folder/dovecot.conf" stop 2>/dev/null || true; rm -rf "$folder"' EXIT
hash dovecot doveadm python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends dovecot-core=1:2.3.19.1+dfsg1-2.1+deb12u7 python3 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq libjwt0=1.10.2-1+deb12u1 libjansson4
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
mkdir -p keys/default/HS256
printf %032d 0 | base64 -w 0 >keys/default/HS256/one
cat >oauth2.conf <<CONF
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$folder/keys/
username_attribute = sub
CONF
cat >dovecot.conf <<CONF
base_dir = $folder/run
state_dir = $folder/state
log_path = $folder/log
protocols =
ssl = no
auth_mechanisms = plain oauthbearer
auth_failure_delay = 0
auth_verbose = yes
passdb {
  driver = oauth2
  mechanisms = plain oauthbearer
  args = $folder/oauth2.conf
}
CONF
cat >verify.py <<'PY'
import base64, ctypes, hashlib, hmac, json, subprocess, time

key = b"0" * 32
libjwt = ctypes.CDLL("libjwt.so.0")

def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

def token(typ, fraction):
    header = {"alg": "HS256", "kid": "one"} | ({"typ": typ} if typ else {})
    claims = {"sub": "alice", "exp": int(time.time()) + 300 + fraction}
    text = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return text + b"." + encoded(hmac.digest(key, text, "sha256"))

def taken(by):
    return "taken" if by else "refused"

def by_dovecot(made):
    ask = ["doveadm", "-c", "dovecot.conf", "auth", "test", "alice", made]
    return taken(subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)

for typ in "JWT", "at+jwt", "jwt", None:
    made = token(typ, 0)
    read = libjwt.jwt_decode(ctypes.byref(ctypes.c_void_p()), made, key, len(key))
    print(f"typ {typ}: Dovecot {by_dovecot(made)}, libjwt {taken(read == 0)}")
print("exp with a fraction: Dovecot", by_dovecot(token("JWT", 0.5)))
PY
dovecot -c dovecot.conf
until [ -S run/auth-client ]; do sleep 0.1; done
LD_LIBRARY_PATH=$(echo "$folder"/unpacked/usr/lib/*-linux-gnu) timeout 120 python3 verify.py | tee seen
diff seen - <<'SEEN'
typ JWT: Dovecot taken, libjwt taken
typ at+jwt: Dovecot refused, libjwt refused
typ jwt: Dovecot refused, libjwt taken
typ None: Dovecot refused, libjwt taken
exp with a fraction: Dovecot refused
SEEN
grep -o "Malformed 'exp' field" log
