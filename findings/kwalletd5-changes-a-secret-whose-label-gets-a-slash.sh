#!/usr/bin/env bash
# kwalletd5 5.103.0 (Debian, libkf5wallet-bin 5.103.0-1) as a Secret Service, beside gnome-keyring 42.1-1+b2: an item gets
# another label.
#
# Guessed: a label is for people. Setting the property changes nothing but the label, as with gnome-keyring.
# Seen: when the new label has a slash, as in `https://…`, the secret is another from then on: `value` has become 14 bytes,
# Qt's form of a text (its length, then UTF-16). The type is text/plain as before, no call fails, and a label without a
# slash does not bring it back. An item that is made with a slash in its label is right.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash kwalletd5 gnome-keyring-daemon dbus-run-session gdbus secret-tool python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 libsecret-tools=0.20.5-3 \
    libkf5wallet-bin=5.103.0-1 libqca-qt5-2-plugins dbus libglib2.0-bin python3 >/dev/null
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
session() { timeout 90 dbus-run-session -- bash session.sh "$1" 2>>errors; }
cat >session.sh <<'SH'
. ./provider.sh
# KWallet refuses one session in a hundred or so, for its keys: kwalletd5-wants-128-bytes-of-a-dh-key.sh.
again() { "$@" || "$@" || "$@"; }
store() { printf value | secret-tool store --label="$1" service "$2"; }
label() {
  path=$(gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
    --method org.freedesktop.Secret.Service.SearchItems "{'service': '$1'}" | grep -o "/org/[^']*" | head -n 1)
  gdbus call --session --dest org.freedesktop.secrets --object-path "$path" \
    --method org.freedesktop.DBus.Properties.Set org.freedesktop.Secret.Item Label "<'$2'>" >/dev/null
}
say() { echo "$1:$(again secret-tool lookup service "$2" | od -An -tx1)"; }
again store mail/made mail && say "$1, made with a slash" mail
again store web web && label web site && say "$1, then without" web
label web web/site && say "$1, then with a slash" web
label web site && say "$1, then without again" web
SH
for provider in gnome-keyring kwalletd5; do session $provider; done | tee seen
diff seen - <<'SEEN'
gnome-keyring, made with a slash: 76 61 6c 75 65
gnome-keyring, then without: 76 61 6c 75 65
gnome-keyring, then with a slash: 76 61 6c 75 65
gnome-keyring, then without again: 76 61 6c 75 65
kwalletd5, made with a slash: 76 61 6c 75 65
kwalletd5, then without: 76 61 6c 75 65
kwalletd5, then with a slash: 00 00 00 0a 00 76 00 61 00 6c 00 75 00 65
kwalletd5, then without again: 00 00 00 0a 00 76 00 61 00 6c 00 75 00 65
SEEN
