#!/usr/bin/env bash
# keyctl of keyutils 1.6.3-2 (Debian) and the Linux kernel (6.18 here): a secret in a user's keyring that
# has a time-out, and is then replaced.
#
# Guessed: the time-out is the key's, as its permissions and its owner are, so it goes on counting when the value changes.
# Seen: `keyctl update`, and `keyctl padd` with a description that is there, which updates too, take it away: /proc/keys shows
# `perm`. The id and the permissions stay. A secret that was to be gone when a grace period ends stays as long as its keyring,
# which for that of a user may be until the machine restarts. Set the time-out again after each change.
# On Debian 12; keyutils goes to a temporary folder. The key is in a session keyring that ends with this script.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq keyutils=1.6.3-2 libkeyutils1=1.6.3-2
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
export PATH=$PWD/unpacked/bin:$PATH LD_LIBRARY_PATH=$PWD/unpacked/lib/x86_64-linux-gnu
cat >try.sh <<'TRY'
set -euo pipefail
id=$(echo first | keyctl padd user try:secret @s)
# what /proc/keys says of the key: its time-out, and its permissions
shown() {
  awk -v id="$(printf %08x "$id")" -v what="$1" '$1 == id { print what ": time-out " $4 ", permissions " $5 }' /proc/keys
}
keyctl setperm "$id" 0x3f010000
keyctl timeout "$id" 90000
shown "made"
echo second | keyctl pupdate "$id"
shown "updated"
keyctl timeout "$id" 90000
shown "time-out set again"
[ "$(echo third | keyctl padd user try:secret @s)" = "$id" ] && shown "added again, the same id"
TRY
keyctl session - bash try.sh 2>/dev/null | tee seen
diff seen - <<'SEEN'
made: time-out 1d, permissions 3f010000
updated: time-out perm, permissions 3f010000
time-out set again: time-out 1d, permissions 3f010000
added again, the same id: time-out perm, permissions 3f010000
SEEN
