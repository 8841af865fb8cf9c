#!/usr/bin/env bash
# mod_oauth2 3.3.1 with liboauth2 1.4.5.4 (Debian, libapache2-mod-oauth2 3.3.1-1, liboauth2-0 1.4.5.4-1) in Apache: times of a token
# that are no whole numbers.
#
# Guessed: a NumericDate may have a fraction (RFC 7519 §2), and 1796084000.0 is the number 1796084000 (RFC 8259 §6), so an `exp` that
# is to come is one in every form that a number has in JSON.
# Seen: `iat` is taken in every form. An `exp` with a fraction, .0 too, or with an exponent is read as 0: "JWT expired
# 1796084408 seconds ago" in the log, 401 for the user. Whoever makes tokens with `time.time() + 3600` of Python,
# which has a fraction, has to round it.
# As root on Debian 12; what is missing is installed, the module goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'test -z "${server:-}" || { kill "$server"; wait "$server" || true; }; rm -rf "$PWD"' EXIT
command -v apache2 >/dev/null || apt-get install -y -qq --no-install-recommends apache2-bin >/dev/null
apt-get -o APT::Sandbox::User=root download -qq libapache2-mod-oauth2=3.3.1-1 liboauth2-0=1.4.5.4-1 liboauth2-apache0=1.4.5.4-1 \
  libcjose0 libcurl4 libjansson4 libmemcached11 libhashkit2 libhiredis0.14
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
chmod 755 "$PWD"
mkdir pages
echo hello >pages/page
secret=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
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
LoadModule oauth2_module $PWD/unpacked/usr/lib/apache2/modules/mod_oauth2.so
User www-data
Group www-data
DocumentRoot $PWD/pages
<Directory $PWD/pages>
  AuthType oauth2
  OAuth2TokenVerify plain $secret
  Require valid-user
</Directory>
CONF
cat >try.mjs <<'JS'
import { createHmac } from "node:crypto";

const [port, secret] = process.argv.slice(2);
const now = Math.floor(Date.now() / 1000);
const encode = (text) => Buffer.from(text).toString("base64url");
const token = (claims) => {
  const input = `${encode('{"alg":"HS256","typ":"JWT"}')}.${encode(`{"sub":"alice",${claims}}`)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
};
const exp = now + 3600;
const tokens = {
  "exp N": `"iat":${now},"exp":${exp}`,
  "exp N, iat N.5": `"iat":${now - 10}.5,"exp":${exp}`,
  "exp N.5": `"iat":${now},"exp":${exp}.5`,
  "exp N.0": `"iat":${now},"exp":${exp}.0`,
  "exp N/1000 e3": `"iat":${now},"exp":${exp / 1000}e3`,
};
for (const [name, claims] of Object.entries(tokens)) {
  const headers = { authorization: `Bearer ${token(claims)}` };
  console.log(`${name}: ${(await fetch(`http://127.0.0.1:${port}/page`, { headers })).status}`);
}
JS
LD_LIBRARY_PATH=$(echo "$PWD"/unpacked/usr/lib/*-linux-gnu) apache2 -f "$PWD/apache.conf" -DFOREGROUND &
server=$!
for _ in {1..50}; do test -s pid && break || sleep 0.1; done
{
  node try.mjs "$port" "$secret"
  grep -o '"exp" validation failure (0)' log | sort | uniq -c | sed 's/^ *//'
} | tee seen
diff seen - <<'SEEN'
exp N: 200
exp N, iat N.5: 200
exp N.5: 401
exp N.0: 401
exp N/1000 e3: 401
3 "exp" validation failure (0)
SEEN
