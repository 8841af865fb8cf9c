#!/usr/bin/env bash
# libapache2-mod-auth-openidc 2.4.12.3-2+deb12u5 (Debian) as a resource server (AuthType oauth20) with shared keys.
#
# Guessed: it refuses what RFC 7519 says about time: a token after exp, before nbf; and one without exp, which would last
# for ever.
# Seen: only a positive number in exp is looked at. A token without exp, with exp -1 or with exp as a text is accepted, and
# nbf is not looked at. `Require claim exp~...` is no way out, since it compares texts; mod_rewrite on the header
# OIDC_CLAIM_exp is one. And /server-info of mod_info shows the keys to everyone who may open it.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)" && chmod 755 .
trap 'kill $apache; wait $apache || true; cd / && rm -rf "$OLDPWD"' EXIT
modules=/usr/lib/apache2/modules
[ -e $modules/mod_auth_openidc.so ] || apt-get install -y -qq --no-install-recommends \
  apache2 libapache2-mod-auth-openidc=2.4.12.3-2+deb12u5 curl >/dev/null
key=0123456789abcdef0123456789abcdef
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir www && echo hello >www/file
{
  for name in mpm_event authn_core authz_core authz_user info auth_openidc; do
    echo "LoadModule ${name}_module $modules/mod_$name.so"
  done
  cat <<CONF
ServerName localhost
Listen 127.0.0.1:$port
User www-data
Group www-data
PidFile $PWD/pid
DefaultRuntimeDir $PWD
Mutex file:$PWD default
ErrorLog /dev/null
DocumentRoot $PWD/www
OIDCOAuthVerifySharedKeys plain#one#$key
OIDCOAuthRemoteUserClaim sub
<Location /file>
  AuthType oauth20
  Require valid-user
</Location>
<Location /server-info>
  SetHandler server-info
</Location>
CONF
} >apache.conf
apache2 -d "$PWD" -f "$PWD/apache.conf" -D FOREGROUND & apache=$!
until curl -s -o /dev/null "http://127.0.0.1:$port/"; do sleep 0.1; done
url() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
ask() { # what, claims
  local signed
  signed="$(printf '{"alg":"HS256","kid":"one"}' | url).$(printf '{"sub":"alice"%s}' "$2" | url)"
  signed="$signed.$(printf %s "$signed" | openssl dgst -sha256 -hmac "$key" -binary | url)"
  echo "$1: $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/file" -H "Authorization: Bearer $signed")"
}
now=$(date +%s)
{
  ask "valid" ",\"exp\":$((now + 60))"
  ask "expired" ",\"exp\":$((now - 60))"
  ask "no exp" ""
  ask "exp -1" ',"exp":-1'
  ask "exp a text, in the past" ',"exp":"1"'
  ask "nbf in an hour" ",\"exp\":$((now + 7200)),\"nbf\":$((now + 3600))"
  echo "server-info: $(curl -s "http://127.0.0.1:$port/server-info" | grep -c "$key") line with the key"
} | tee seen
diff seen - <<'SEEN'
valid: 200
expired: 401
no exp: 200
exp -1: 200
exp a text, in the past: 200
nbf in an hour: 200
server-info: 1 line with the key
SEEN
