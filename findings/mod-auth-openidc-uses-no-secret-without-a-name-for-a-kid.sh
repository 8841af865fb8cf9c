#!/usr/bin/env bash
# mod_auth_openidc 2.4.12.3 (Debian, libapache2-mod-auth-openidc 2.4.12.3-2+deb12u5) in Apache, with two secrets in
# `OIDCOAuthVerifySharedKeys`, the current one and the former one, for tokens whose header has a `kid`.
#
# Guessed: a key identifier may be left out, as its sample configuration has it, and a secret without one is tried for every token: a
# `kid` is a hint (RFC 7515 §4.1.4), and the two secrets without names do verify each token that has no `kid`.
# Seen: as soon as a token has a `kid`, secrets without a name are not tried: 401 for every token of an issuer that begins to
# write one. With two secrets of one name the last is the only one, also for tokens without `kid`, so the order "current,
# former" loses the current one. Name each secret by its own `kid`; then all these tokens are accepted.
# As root on Debian 12; Apache is installed if it is missing, the module goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'test -z "${server:-}" || { kill "$server"; wait "$server" || true; }; rm -rf "$PWD"' EXIT
command -v apache2 >/dev/null || apt-get install -y -qq --no-install-recommends apache2-bin >/dev/null
apt-get -o APT::Sandbox::User=root download -qq libapache2-mod-auth-openidc=2.4.12.3-2+deb12u5 libcjose0 libcurl4 libhiredis0.14 libjansson4 libpcre2-8-0
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
chmod 755 "$PWD"
mkdir pages
echo hello >pages/page
port=$(node -e 'const s = require("node:net").createServer().listen(0, () => { console.log(s.address().port); s.close(); })')
cat >apache.conf <<CONF
ServerRoot $PWD
ServerName localhost
Listen 127.0.0.1:$port
PidFile $PWD/pid
ErrorLog $PWD/log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_openidc_module $PWD/unpacked/usr/lib/apache2/modules/mod_auth_openidc.so
User www-data
Group www-data
DocumentRoot $PWD/pages
OIDCCryptoPassphrase for-its-own-cookies
Include $PWD/keys.conf
<Directory $PWD/pages>
  AuthType oauth20
  Require valid-user
</Directory>
CONF
cat >ask.mjs <<'JS'
import { createHmac } from "node:crypto";

const [port, current, former] = process.argv.slice(2);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
async function ask(secret, kid) {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = `${part({ alg: "HS256", ...(kid && { kid }) })}.${part({ sub: "alice", iat: exp - 600, exp })}`;
  const authorization = `Bearer ${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  for (let tries = 0;; tries++) {
    try {
      return (await fetch(`http://127.0.0.1:${port}/page`, { headers: { authorization } })).status;
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
console.log(`  without kid: current ${await ask(current)}, former ${await ask(former)}`);
console.log(`  with kid: current ${await ask(current, "c7")}, former ${await ask(former, "f6")}`);
JS
current=cccccccccccccccccccccccccccccccc
former=ffffffffffffffffffffffffffffffff
{
  for names in '[] []' '[one] [one]' '[c7] [f6]'; do
    read -r first second <<<"${names//[\[\]]/#}"
    echo "OIDCOAuthVerifySharedKeys plain$first$current plain$second$former" >keys.conf
    echo "the current secret as $(cut -d' ' -f1 <<<"$names"), then the former one as $(cut -d' ' -f2 <<<"$names")"
    LD_LIBRARY_PATH=$(echo unpacked/usr/lib/*-linux-gnu) /usr/sbin/apache2 -X -f "$PWD/apache.conf" &
    server=$!
    node ask.mjs "$port" "$current" "$former"
    kill "$server"
    wait "$server" || true
    server=
  done
} | tee seen
diff seen - <<'SEEN'
the current secret as [], then the former one as []
  without kid: current 200, former 200
  with kid: current 401, former 401
the current secret as [one], then the former one as [one]
  without kid: current 401, former 200
  with kid: current 401, former 401
the current secret as [c7], then the former one as [f6]
  without kid: current 200, former 200
  with kid: current 200, former 200
SEEN
