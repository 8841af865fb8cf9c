#!/usr/bin/env bash
# Where three meet: bytes that are no text, given to secret-tool 0.20.5-3 (Debian), on gnome-keyring 42.1-1+b2 and on kwalletd5
# 5.103.0 (libkf5wallet-bin 5.103.0-1), and the content type of Secret Service beside them.
#
# Guessed: a secret is bytes and a content type, both come back as they went, and secret-tool keeps "the contents of stdin
# until EOF", as its manual says. So `head -c 32 /dev/urandom | secret-tool store` keeps a key.
# Seen: secret-tool calls everything text/plain. kwalletd5 believes that: a byte that is no UTF-8 becomes three others
# (U+FFFD), and all from the first zero byte on is gone, with exit status 0; bytes with another type it keeps. With
# gnome-keyring the bytes are right and every type is text/plain afterwards. So a key goes there in base64.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash kwalletd5 gnome-keyring-daemon dbus-run-session gdbus secret-tool python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 libsecret-tools=0.20.5-3 \
    libkf5wallet-bin=5.103.0-1 libqca-qt5-2-plugins dbus libglib2.0-bin python3 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-secretstorage=3.3.3-1 python3-jeepney=0.8.0-3 \
  python3-cryptography python3-cffi-backend
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >provider.sh <<'SH'
alias_path() {
  gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
    --method org.freedesktop.Secret.Service.ReadAlias default
}
case $1 in
gnome-keyring) printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null ;;
kwalletd5)
  # PAM's way to make and open a wallet. It is a collection from the daemon's second start on.
  folder=$HOME/.local/share/kwalletd
  mkdir -p "$folder" && head -c 56 /dev/zero >"$folder/kdewallet.salt"
  key=$(python3 -c 'import hashlib; print([*hashlib.pbkdf2_hmac("sha512", b"pw", bytes(56), 50000, 56)])')
  for _ in first second; do
    QT_QPA_PLATFORM=offscreen kwalletd5 & daemon=$!
    trap 'kill $daemon && wait $daemon' EXIT
    gdbus wait --session --timeout 30 org.kde.kwalletd5
    gdbus call --session --dest org.kde.kwalletd5 --object-path /modules/kwalletd5 \
      --method org.kde.KWallet.pamOpen kdewallet "$key" 0 >/dev/null
    until [ -s "$folder/kdewallet.kwl" ]; do sleep 0.1; done
    [ -e made ] || { touch made && kill $daemon && wait $daemon; }
  done ;;
esac
gdbus wait --session --timeout 30 org.freedesktop.secrets
until alias_path | grep -q collection; do sleep 0.1; done
SH
mkdir -p -m 700 home/.config run
printf '[org.freedesktop.secrets]\napiEnabled=true\n[Wallet]\nEnabled=true\nFirst Use=false\n' >home/.config/kwalletrc
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run XDG_CONFIG_HOME=$PWD/home/.config
export PYTHONPATH=$PWD/unpacked/usr/lib/python3/dist-packages
session() { timeout 90 dbus-run-session -- bash session.sh "$1" 2>>errors; }
cat >typed.py <<'PY'
import sys, secretstorage
collection = secretstorage.get_default_collection(secretstorage.dbus_init())
collection.create_item("typed", {"made-by": "python"}, bytes.fromhex("ff410042"), content_type="application/octet-stream")
item = next(collection.search_items({"made-by": "python"}))
print(f"{sys.argv[1]}, as application/octet-stream: {item.get_secret().hex(' ')} {item.get_secret_content_type()}")
PY
cat >session.sh <<'SH'
. ./provider.sh
# KWallet refuses one session in a hundred or so, for its keys: kwalletd5-wants-128-bytes-of-a-dh-key.sh.
again() { "$@" || "$@" || "$@"; }
store() { printf '\377A\000B' | secret-tool store --label=bytes made-by secret-tool; }
lookup() { secret-tool lookup made-by secret-tool; }
again store && echo "$1, by secret-tool:$(again lookup | od -An -tx1)"
again /usr/bin/python3 typed.py "$1"
SH
for provider in gnome-keyring kwalletd5; do session $provider; done | tee seen
diff seen - <<'SEEN'
gnome-keyring, by secret-tool: ff 41 00 42
gnome-keyring, as application/octet-stream: ff 41 00 42 text/plain
kwalletd5, by secret-tool: ef bf bd 41
kwalletd5, as application/octet-stream: ff 41 00 42 application/octet-stream
SEEN
