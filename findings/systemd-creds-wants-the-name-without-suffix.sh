#!/usr/bin/env bash
# systemd-creds of systemd 252.39-1~deb12u2 (Debian) seals a credential's name into it and takes the whole name of the file for it.
#
# Guessed: `kek.cred` is the credential `kek`, as in the manual's own examples of unit files; and --newline=yes puts a newline at the
# end, as the manual says, whatever standard output is.
# Seen: sealed as `kek` it is opened from a file `kek`, and refused from `kek.cred` unless --name=kek is given. Sealed into a
# file `kek.cred` without --name it is the credential `kek.cred`, which `--name=kek` then refuses. --newline=yes adds
# nothing when standard output is a pipe.
# As root on Debian 12 with systemd installed (it need not run).
set -uo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
command -v systemd-creds >/dev/null || apt-get install -y -qq --no-install-recommends systemd >/dev/null
printf value >plain && chmod 600 plain
systemd-creds encrypt --name=kek plain kek 2>/dev/null
cp kek kek.cred
open() { printf '%s: ' "$*" && if value=$(systemd-creds "$@" 2>/dev/null); then echo "$value"; else echo refused; fi; }
{
  open decrypt kek
  open decrypt kek.cred
  open --name=kek decrypt kek.cred
  rm kek.cred && systemd-creds encrypt plain kek.cred 2>/dev/null
  open decrypt kek.cred
  open --name=kek decrypt kek.cred
  echo "bytes with --newline=yes: $(systemd-creds --newline=yes decrypt kek.cred 2>/dev/null | wc -c)"
} | tee seen
diff seen - <<'SEEN'
decrypt kek: value
decrypt kek.cred: refused
--name=kek decrypt kek.cred: value
decrypt kek.cred: value
--name=kek decrypt kek.cred: refused
bytes with --newline=yes: 5
SEEN
