#!/usr/bin/env bash
# systemd-creds of systemd 252.39-1~deb12u2 (Debian) with large credentials, such as a bundle of keys and certificates.
#
# Guessed: what `encrypt` takes `decrypt` gives back: what is too large is refused before it is sealed, and one MiB, the most that
# `encrypt` takes, is the limit for both.
# Seen: `encrypt` ends well up to one MiB, and writes its result in base64, a third longer. `decrypt` measures that text, and refuses
# it as "Data too long for encrypted credential" when there were more than about 873,000 bytes in it. So between the two lies
# what can be sealed and not be had back: whoever removes the original after `encrypt` has to `decrypt` once before that.
# As root on Debian 12 with systemd installed (it need not run).
set -uo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
command -v systemd-creds >/dev/null || apt-get install -y -qq --no-install-recommends systemd >/dev/null
size_of() { stat -c %s "$1"; }
{
  for size in 500000 870000 875000 1048576 1048577; do
    head -c "$size" /dev/zero >plain && chmod 600 plain && rm -f sealed
    systemd-creds encrypt --name=keys plain sealed 2>/dev/null
    echo "$size bytes: encrypt exits with $?"
    [ -f sealed ] || continue
    systemd-creds decrypt --name=keys sealed opened 2>error && what="$(size_of opened) bytes" || what=$(tail -n 1 error)
    echo "  decrypt: $what"
    rm -f opened
  done
} | tee seen
diff seen - <<'SEEN'
500000 bytes: encrypt exits with 0
  decrypt: 500000 bytes
870000 bytes: encrypt exits with 0
  decrypt: 870000 bytes
875000 bytes: encrypt exits with 0
  decrypt: Data too long for encrypted credential (allowed size: 1179648).
1048576 bytes: encrypt exits with 0
  decrypt: Data too long for encrypted credential (allowed size: 1179648).
1048577 bytes: encrypt exits with 1
SEEN
