#!/usr/bin/env bash
# clevis 19-2 (Debian) with `thp`, the thumbprint of a signing key that is trusted, at Tang 11-2+deb12u1 (Debian) before and after
# a rotation with tangd-rotate-keys.
#
# Guessed: Tang still signs what it shows with the former key when that one is asked for by its thumbprint, so that a
# machine set up with the former thumbprint finds the new keys by the key that it trusts.
# Seen: Tang does just that, and clevis has both signatures in hand. It looks for the thumbprint among the keys that are shown,
# where the former one no longer is, and ends with "Trusted JWK '…' did not sign the advertisement!", which is not so. What is
# encrypted already is decrypted as before. So the minute of a rotation is when all scripts that bind new disks
# or secrets need the new thumbprint; the message looks like a forged server.
# On Debian 12 with Python and curl; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $server; rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq clevis=19-2 tang-common=11-2+deb12u1 jose=11-2+deb12u1 libjose0=11-2+deb12u1 \
  libjansson4 libhttp-parser2.9
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
LD_LIBRARY_PATH=$(echo "$PWD"/unpacked/usr/lib/*-linux-gnu)
PATH=$PWD/unpacked/usr/bin:$PWD/unpacked/usr/libexec:$PATH
export LD_LIBRARY_PATH PATH
cat >serve.py <<'PY'
import os, socketserver, subprocess

class Tang(socketserver.BaseRequestHandler):
    def handle(self):
        subprocess.run(["tangd", "keys"], stdin=self.request.fileno(), stdout=self.request.fileno())

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tang) as server:
    open("port.new", "w").write(str(server.server_address[1]))
    os.rename("port.new", "port")
    server.serve_forever()
PY
mkdir keys
tangd-keygen keys sig exc 2>/dev/null
/usr/bin/python3 serve.py 2>/dev/null & server=$!
until [ -f port ]; do sleep 0.1; done
url=http://127.0.0.1:$(cat port)
encrypt() { clevis encrypt tang "{\"url\":\"$url\",\"thp\":\"$1\"}" 2>&1 >"$2" <<<secret | sed "s/$1/THP/"; }
former=$(jose jwk thp -i keys/sig.jwk)
{
  echo "before: $(encrypt "$former" one.jwe)$(clevis decrypt <one.jwe)"
  tangd-rotate-keys -d "$PWD/keys" 2>/dev/null
  echo "rotated, the one from before: $(clevis decrypt <one.jwe)"
  echo "the former thumbprint: $(encrypt "$former" two.jwe)"
  curl -sf "$url/adv/$former" -o shown
  echo "signatures: $(jose fmt -j shown -g signatures -l -o-)"
  jose jws ver -i shown -k keys/.sig.jwk && echo "the former key has signed it"
  current=$(jose fmt -j shown -g payload -yo- | jose jwk use -i- -r -u verify -o- | jose jwk thp -i-)
  echo "the current thumbprint: $(encrypt "$current" three.jwe)$(clevis decrypt <three.jwe)"
} | tee seen
diff seen - <<'SEEN'
before: secret
rotated, the one from before: secret
the former thumbprint: Trusted JWK 'THP' did not sign the advertisement!
signatures: 2
the former key has signed it
the current thumbprint: secret
SEEN
