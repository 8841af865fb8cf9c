#!/usr/bin/env bash
# kwallet-query 5.103.0 (Debian, libkf5wallet-bin 5.103.0-1) on kwalletd5: entries and folders that are not there.
#
# Guessed: as its manual says, the contents go to standard output, and the exit status is 3 for a folder that is not there and
# 4 for an entry that cannot be read or written.
# Seen: the exit status is 0 in all these cases, and the message is on standard output. So after
# `SECRET=$(kwallet-query --read-password api kdewallet) || exit` the secret of a missing entry is "Failed to read entry
# api value …", for everyone the same. A new entry that is written is nowhere afterwards, and there is no message at all.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash kwalletd5 kwallet-query dbus-run-session gdbus python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends libkf5wallet-bin=5.103.0-1 libqca-qt5-2-plugins dbus libglib2.0-bin python3 >/dev/null
cat >session.sh <<'SH'
# PAM's way to make and open a wallet.
folder=$HOME/.local/share/kwalletd
mkdir -p "$folder" && head -c 56 /dev/zero >"$folder/kdewallet.salt"
key=$(python3 -c 'import hashlib; print([*hashlib.pbkdf2_hmac("sha512", b"pw", bytes(56), 50000, 56)])')
export QT_QPA_PLATFORM=offscreen
kwalletd5 & daemon=$!
trap 'kill $daemon && wait $daemon' EXIT
gdbus wait --session --timeout 30 org.kde.kwalletd5
wallet() {
  gdbus call --session --dest org.kde.kwalletd5 --object-path /modules/kwalletd5 --method "org.kde.KWallet.$1" "${@:2}" | tr -d '(),'
}
wallet pamOpen kdewallet "$key" 0 >/dev/null
until [ "$(wallet isOpen kdewallet)" = true ]; do sleep 0.1; done
handle=$(wallet open kdewallet 0 finding)
wallet createFolder "$handle" Passwords finding >/dev/null
wallet writePassword "$handle" Passwords present value finding >/dev/null
query() {
  status=0
  timeout 20 kwallet-query "$@" kdewallet >output || status=$?
  echo "$*: exit status $status, $(tr '\n' '|' <output)"
}
query --read-password present
query --read-password missing
query --read-password present --folder none
printf new | query --write-password present
query --read-password present
printf new | query --write-password added
query --read-password added
echo "has added: $(wallet hasEntry "$handle" Passwords added finding)"
SH
mkdir -p -m 700 home/.config run
printf '[Wallet]\nEnabled=true\nFirst Use=false\n' >home/.config/kwalletrc
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run XDG_CONFIG_HOME=$PWD/home/.config
timeout 90 dbus-run-session -- bash session.sh 2>errors | tee seen
diff seen - <<'SEEN'
--read-password present: exit status 0, value|
--read-password missing: exit status 0, Failed to read entry missing value from the kdewallet wallet.|
--read-password present --folder none: exit status 0, The folder none does not exist!|Failed to read entry present value from the kdewallet wallet.|
--write-password present: exit status 0, 
--read-password present: exit status 0, new|
--write-password added: exit status 0, 
--read-password added: exit status 0, Failed to read entry added value from the kdewallet wallet.|
has added: false
SEEN
