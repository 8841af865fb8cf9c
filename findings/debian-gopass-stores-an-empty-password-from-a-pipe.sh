#!/usr/bin/env bash
# gopass 1.5.0-1+b6 (Debian) and pass 1.7.4-6 (Debian) on one password store: `insert` from a pipe.
#
# Guessed: it is the gopass that most people mean, at an old version, and `insert` takes a password from a pipe, as
# `pass insert --echo` does: "This will read the new password from standard in", says its manual.
# Seen: it is another program of that name (aviau/gopass). From a pipe it takes nothing, stores an empty password, says
# "added" and exits with 0. With --force that takes the place of the password that was there, and pass shows an empty
# one from then on.
# On Debian 12; gnupg and git are installed if they are missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'gpgconf --kill gpg-agent; cd / && rm -rf "$OLDPWD"' EXIT
hash gpg git 2>/dev/null || apt-get install -y -qq --no-install-recommends gnupg git >/dev/null
apt-get -o APT::Sandbox::User=root download -qq gopass=1.5.0-1+b6 pass=1.7.4-6 tree
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
mkdir -m 700 home gnupg
export HOME=$PWD/home GNUPGHOME=$PWD/gnupg PASSWORD_STORE_DIR=$PWD/store PATH=$PWD/unpacked/usr/bin:$PATH
gpg --batch --quiet --passphrase '' --quick-gen-key 'A User <user@example.org>' default default never 2>/dev/null
{
  pass init user@example.org
  # Without a repository gopass complains after each change.
  git init --quiet store
  git -C store config user.name "A User"
  git -C store config user.email user@example.org
} >/dev/null 2>&1
bytes() { echo "$1: $(pass show "$2" | wc -c) bytes"; }
added() { grep -o 'added to the store' output; }
{
  echo value | pass insert --echo by-pass >/dev/null
  bytes "by pass" by-pass
  echo value | gopass insert by-gopass >output 2>&1 && echo "gopass: exit status $?, $(added)"
  bytes "by gopass" by-gopass
  echo value | gopass insert --force by-pass >output 2>&1 && echo "gopass: exit status $?, $(added)"
  bytes "what was there, with --force" by-pass
} | tee seen
diff seen - <<'SEEN'
by pass: 6 bytes
gopass: exit status 0, added to the store
by gopass: 0 bytes
gopass: exit status 0, added to the store
what was there, with --force: 0 bytes
SEEN
