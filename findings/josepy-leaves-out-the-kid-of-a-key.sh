#!/usr/bin/env bash
# josepy 1.13.0 (Debian, python3-josepy 1.13.0-1) reads a JWK and writes it again, beside jwcrypto 1.1.0 and Authlib 1.2.0.
#
# Guessed: a JWK comes out as it went in: `kid`, `use` and `alg` are members of every key (RFC 7517 §4), not of one library.
# Seen: josepy keeps what the key is made of and `kty`, and drops all three without a word; jwcrypto and Authlib keep
# them. A set that goes through josepy has no `kid` left, so no token's finds its key in it any more. The thumbprint, which is
# made of what josepy keeps, is right.
# On Debian 12; python3-jwcrypto is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-josepy=1.13.0-1 python3-authlib=1.2.0-1+deb12u2 python3-openssl
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >try.py <<'PY'
from authlib.jose import JsonWebKey
from josepy import JWK as Josepy, b64
from jwcrypto.jwk import JWK

for kty, options in ("RSA", {"size": 2048}), ("EC", {"crv": "P-256"}):
    alg = {"RSA": "RS256", "EC": "ES256"}[kty]
    made = JWK.generate(kty=kty, kid="2026", use="sig", alg=alg, **options)
    key = made.export_public(as_dict=True)
    read = Josepy.from_json(key)
    written = {
        "josepy": read.to_json(),
        "jwcrypto": JWK(**key).export_public(as_dict=True),
        "Authlib": JsonWebKey.import_key(key).as_dict(),
    }
    for name, copy in written.items():
        print(f"{name}, {kty}: left out {' '.join(sorted(set(key) - set(copy))) or 'nothing'}")
    print(f"{kty}: josepy's thumbprint is jwcrypto's: {b64.b64encode(read.thumbprint()).decode() == made.thumbprint()}")
PY
PYTHONPATH=unpacked/usr/lib/python3/dist-packages /usr/bin/python3 -W ignore try.py | tee seen
diff seen - <<'SEEN'
josepy, RSA: left out alg kid use
jwcrypto, RSA: left out nothing
Authlib, RSA: left out nothing
RSA: josepy's thumbprint is jwcrypto's: True
josepy, EC: left out alg kid use
jwcrypto, EC: left out nothing
Authlib, EC: left out nothing
EC: josepy's thumbprint is jwcrypto's: True
SEEN
