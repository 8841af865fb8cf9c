#!/usr/bin/env bash
# etcd 3.4.23 (Debian, etcd-server 3.4.23-4+b4) with `--auth-token jwt`: how long a user's token is good, beside the tokens that etcd
# makes unless told otherwise (`simple`).
#
# Guessed: a JWT is good until its `exp`, here ten minutes, and as long as the user and the user's roles stay as they were.
# Seen: it has the `revision` of all users and roles in it. Any change to any of them, a new user who has nothing to do with
# it, ends all JWTs at once, and a `simple` token goes on. What comes is not 401 but 400, code 3 (INVALID_ARGUMENT), "revision
# of auth store is old": a client that logs in again on 401 alone stops there. And the secret is the whole of the file,
# with the newline at its end.
# On Debian 12 with Node.js and curl; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap '[ ! -f pid ] || kill "$(cat pid)"; rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq etcd-server=3.4.23-4+b4 etcd-client=3.4.23-4+b4
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
PATH=$PWD/unpacked/usr/bin:$PATH
export ETCDCTL_API=3
openssl rand -base64 32 >secret
cat >look.mjs <<'JS'
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const [header, payload, signature] = process.argv[2].split(".");
const signed = (key) => createHmac("sha256", key).update(`${header}.${payload}`).digest("base64url") === signature;
const file = readFileSync("secret", "utf8");
console.log("claims:", Object.keys(JSON.parse(Buffer.from(payload, "base64url"))).join(", "));
console.log(`signed with the file: ${signed(file)}, without its newline: ${signed(file.trim())}`);
JS
{
  for kind in simple jwt,sign-method=HS256,priv-key=secret,ttl=10m; do
    echo "${kind%%,*}:"
    ports=($(node -e 'const all = [0, 0].map(() => require("node:net").createServer().listen(0, "127.0.0.1"));
      setTimeout(() => all.forEach((one) => { console.log(one.address().port); one.close(); }), 50)'))
    url=http://127.0.0.1:${ports[0]} peer=http://127.0.0.1:${ports[1]}
    etcd --data-dir "data-${kind%%,*}" --auth-token "$kind" --listen-client-urls "$url" --advertise-client-urls "$url" \
      --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" 2>/dev/null &
    echo $! >pid
    export ETCDCTL_ENDPOINTS=$url
    until etcdctl endpoint health >/dev/null 2>&1; do sleep 0.2; done
    {
      etcdctl user add root --new-user-password root && etcdctl user grant-role root root
      etcdctl role add app && etcdctl role grant-permission app readwrite --prefix app/
      etcdctl user add alice --new-user-password alice && etcdctl user grant-role alice app
      etcdctl auth enable
    } >/dev/null
    token=$(curl -s "$url/v3/auth/authenticate" -d '{"name":"alice","password":"alice"}' |
      node -p 'JSON.parse(require("node:fs").readFileSync(0)).token')
    put() {
      curl -s -w ' %{http_code}' "$url/v3/kv/put" -H "Authorization: $token" -d '{"key":"YXBwL2E=","value":"MQ=="}' |
        sed -E 's/"header":\{[^}]*\}/…/'
    }
    [ "$kind" = simple ] || node look.mjs "$token"
    echo "alice: $(put)"
    etcdctl --user root:root user add bob --new-user-password bob
    echo "alice: $(put)"
    kill "$(cat pid)" && rm pid
    wait
  done
} | tee seen
diff seen - <<'SEEN'
simple:
alice: {…} 200
User bob created
alice: {…} 200
jwt:
claims: exp, revision, username
signed with the file: true, without its newline: false
alice: {…} 200
User bob created
alice: {"error":"etcdserver: revision of auth store is old","message":"etcdserver: revision of auth store is old","code":3} 400
SEEN
