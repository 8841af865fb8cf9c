#!/usr/bin/env bash
# ssss 0.5-5 (Debian) puts a passphrase together again from more shares than are needed, beside shamir-secret-sharing 0.0.4 (npm).
#
# Guessed: with a threshold of two of three, all three shares give the secret as two of them do: the third lies on the
# same line. So who has all of them uses all of them.
# Seen: `ssss-combine -t 3` with three right shares of two needed prints another secret: dots and letters, and "WARNING: binary
# data detected", which -Q, for scripts, leaves out, and in hexadecimal (-x) there is no warning and nothing to see. The
# exit status is 0. The threshold must be kept with the shares: it is in none of them.
# On Debian 12; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq ssss=0.5-5
dpkg-deb -x ssss_*.deb unpacked
npm install --silent --no-audit --no-fund shamir-secret-sharing@0.0.4 >/dev/null
PATH=$PWD/unpacked/usr/bin:$PATH
secret=000102030405060708090a0b0c0d0e0f
ssss-split -x -Q -t 2 -n 3 <<<$secret >shares
cat >try.mjs <<'JS'
import { combine, split } from "shamir-secret-sharing";

const secret = Uint8Array.from(Buffer.from(process.argv[2], "hex"));
const shares = await split(secret, 3, 2);
for (const some of [shares.slice(0, 2), shares]) {
  console.log(`shamir-secret-sharing, ${some.length} shares:`, Buffer.from(await combine(some)).equals(secret) ? "the secret" : "another");
}
JS
{
  node try.mjs $secret
  for count in 2 3; do
    status=0
    combined=$(head -n "$count" shares | ssss-combine -x -q -t "$count" 2>&1) || status=$?
    echo "ssss-combine, $count shares: $([ "$combined" = $secret ] && echo the secret || echo "another of $((${#combined} / 2)) bytes"), exit status $status"
  done
} | tee seen
diff seen - <<'SEEN'
shamir-secret-sharing, 2 shares: the secret
shamir-secret-sharing, 3 shares: the secret
ssss-combine, 2 shares: the secret, exit status 0
ssss-combine, 3 shares: another of 16 bytes, exit status 0
SEEN
