#!/usr/bin/env bash
# gnome-keyring-daemon 42.1-1+b2 (Debian) takes all of its standard input for the password with --unlock, a newline at the end
# included, and a wrong password is no error to it.
#
# Guessed: `echo PASSWORD | gnome-keyring-daemon --unlock` unlocks, as `cryptsetup` and most programs that take a password
# on standard input would, or the command fails.
# Seen: with the newline the login collection stays locked, and the exit status is 0 in all three cases. Made with the
# newline it would be the other way round. So it is `printf %s PASSWORD | …` everywhere, and whether it worked is in the
# collection's property `Locked` only.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash gnome-keyring-daemon secret-tool dbus-run-session gdbus 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 libsecret-tools dbus libglib2.0-bin >/dev/null
cat >session.sh <<'SH'
status=0
printf "$1" | gnome-keyring-daemon --unlock --components=secrets >/dev/null || status=$?
property() {
  gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets/aliases/default \
    --method org.freedesktop.DBus.Properties.Get org.freedesktop.Secret.Collection Locked
}
gdbus wait --session --timeout 30 org.freedesktop.secrets
property >answer
echo "$1: exit status $status, locked $(grep -o 'true\|false' answer)"
SH
mkdir -m 700 home run
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run
# The first one makes the collection; each runs on a bus of its own, with which its daemon ends.
for password in pw 'pw\n' pw wrong; do dbus-run-session -- bash session.sh "$password" 2>/dev/null; done | tee seen
diff seen - <<'SEEN'
pw: exit status 0, locked false
pw\n: exit status 0, locked true
pw: exit status 0, locked false
wrong: exit status 0, locked true
SEEN
