#!/usr/bin/env bash
# kwalletd5 5.103.0 (Debian, libkf5wallet-bin 5.103.0-1) as a Secret Service, beside gnome-keyring 42.1-1+b2: OpenSession with
# dh-ietf1024-sha256-aes128-cbc-pkcs7 and a client's public key that begins with a zero byte.
#
# Guessed: the specification sends the key as a number in an array of bytes and tells no length, so it is taken with and
# without leading zeros, as gnome-keyring takes it.
# Seen: kwalletd5 wants exactly 128 bytes. Of 256 keys one is a byte shorter, and libraries that write a number in as few
# bytes as it needs then have no session with KWallet, once in a while and for no reason that a user sees. Padded keys work
# with both.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash kwalletd5 gnome-keyring-daemon dbus-run-session gdbus python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends libkf5wallet-bin=5.103.0-1 libqca-qt5-2-plugins gnome-keyring=42.1-1+b2 dbus libglib2.0-bin >/dev/null
cat >keys.py <<'PY'
p = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF", 16)
gvariant = lambda data: "<@ay [" + ", ".join(map(hex, data)) + "]>"
exponents = range(2**1020, 2**1020 + 10**5)
publics = ((x, pow(2, x, p).to_bytes(128, "big")) for x in exponents)
short = lambda key: key[0] == 0 and key[1] != 0
full = next(key for _, key in publics if key[0] != 0)
zero = next(key for _, key in publics if short(key))
for name, key in (("128 bytes", full), ("128 bytes, the first is 0", zero), ("the same in 127", zero[1:])):
    print(f"{name}\t{gvariant(key)}")
PY
python3 keys.py >keys
cat >session.sh <<'SH'
case $1 in
gnome-keyring) printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null ;;
kwalletd5) QT_QPA_PLATFORM=offscreen kwalletd5 & trap 'kill $! && wait $!' EXIT ;;
esac
gdbus wait --session --timeout 30 org.freedesktop.secrets
while IFS=$'\t' read -r name key; do
  answer=$(gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
    --method org.freedesktop.Secret.Service.OpenSession dh-ietf1024-sha256-aes128-cbc-pkcs7 "$key" 2>&1) || true
  case $answer in *objectpath*) answer=opened ;; *) answer=$(printf %s "${answer##*Error.}" | head -n 1) ;; esac
  echo "$1, $name: $answer"
done <keys
SH
mkdir -p -m 700 home/.config run
printf '[org.freedesktop.secrets]\napiEnabled=true\n[Wallet]\nEnabled=true\nFirst Use=false\n' >home/.config/kwalletrc
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run XDG_CONFIG_HOME=$PWD/home/.config
for provider in gnome-keyring kwalletd5; do timeout 60 dbus-run-session -- bash session.sh $provider 2>>errors; done | tee seen
diff seen - <<'SEEN'
gnome-keyring, 128 bytes: opened
gnome-keyring, 128 bytes, the first is 0: opened
gnome-keyring, the same in 127: opened
kwalletd5, 128 bytes: opened
kwalletd5, 128 bytes, the first is 0: opened
kwalletd5, the same in 127: InvalidArgs: Client public key size is invalid
SEEN
