#!/usr/bin/env bash
# secret-tool 0.20.5-3 (Debian) on gnome-keyring 42.1-1+b2: what `search` prints where.
#
# Guessed: the details of an item are its output. It is `lookup` that prints a secret; who asks which items there are,
# `search | grep attribute` say, sees attributes.
# Seen: path, label, secret and times are on standard output, the attributes on standard error. So `search … | grep
# attribute` finds nothing, `2>/dev/null` takes them away, and a log of standard output alone has the secret and not
# what it belongs to.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash gnome-keyring-daemon secret-tool dbus-run-session gdbus 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 libsecret-tools=0.20.5-3 dbus libglib2.0-bin >/dev/null
cat >session.sh <<'SH'
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 30 org.freedesktop.secrets
printf value | secret-tool store --label=Mail service mail
secret-tool search service mail >output 2>errors
SH
mkdir -m 700 home run
HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run timeout 60 dbus-run-session -- bash session.sh 2>/dev/null
# Without the times, which are others each time.
for file in output errors; do echo "$file:" && grep = $file | grep -v '^\(created\|modified\)'; done | tee seen
diff seen - <<'SEEN'
output:
label = Mail
secret = value
errors:
attribute.service = mail
SEEN
