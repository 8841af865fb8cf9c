#!/usr/bin/env bash
# secret-tool 0.20.5-3 (Debian) on gnome-keyring 42.1-1+b2 and on kwalletd5 5.103.0 (libkf5wallet-bin 5.103.0-1): `store` with fewer
# attributes than items that are there.
#
# Guessed: an item is what has the same attributes. The specification's CreateItem replaces an item "with the same
# attributes", and the manual of secret-tool calls items "uniquely identified by a set of attribute keys and values".
# So `service mail` is another item than `service mail user alice`.
# Seen: with both it takes the place of one of the items that have its attributes and more: that one's secret and
# other attributes are gone, without a word, and exit status 0. The other way round, with more attributes, an item is
# added. Who stores under a few attributes has to search for them first.
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
store() { printf %s "$1" | secret-tool store --label=Mail service mail "${@:2}"; }
search() { secret-tool search --all service mail 2>&1 | grep '^secret = '; }
again store one user alice && again store two user bob && echo "$1: $(again search | wc -l) items"
again store three && echo "$1: stored without user, $(again search | wc -l) items"
echo "$1: of the first two secrets there is still $(again search | grep -c 'one\|two')"
again store four user carol && echo "$1: stored with another user, $(again search | wc -l) items"
SH
for provider in gnome-keyring kwalletd5; do session $provider; done | tee seen
diff seen - <<'SEEN'
gnome-keyring: 2 items
gnome-keyring: stored without user, 2 items
gnome-keyring: of the first two secrets there is still 1
gnome-keyring: stored with another user, 3 items
kwalletd5: 2 items
kwalletd5: stored without user, 2 items
kwalletd5: of the first two secrets there is still 1
kwalletd5: stored with another user, 3 items
SEEN
