#!/usr/bin/env bash
# jwcrypto 1.1.0 (Debian, python3-jwcrypto 1.1.0-1+deb12u1) reads and writes a JWK Set.
#
# Guessed: `keys` is an array, so JWKSet has the keys in its order, and export() writes them in it.
# Seen: it has them in a Python set, whose order depends on the hash seed that each process draws: the same file comes out in one
# order from one worker of a server and in another from the next. So its ETag and a comparison by bytes are worth
# nothing, and "the first key signs" cannot be said. Where an RSA and an EC key share a `kid`, as RFC 7517 §4.5 lets them,
# get_key() gives one in some processes and the other in the rest. The same PYTHONHASHSEED gives the same order.
# On Debian 12; python3-jwcrypto is installed if it is missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwcrypto' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwcrypto=1.1.0-1+deb12u1 >/dev/null
cat >make.py <<'PY'
import json
from jwcrypto.jwk import JWK

def write(name, keys):
    json.dump({"keys": [key.export_public(as_dict=True) for key in keys]}, open(name, "w"))

write("six.json", [JWK.generate(kty="EC", crv="P-256", kid=f"k{n}") for n in range(6)])
write("two.json", [JWK.generate(kty="RSA", size=2048, kid="2026"), JWK.generate(kty="EC", crv="P-256", kid="2026")])
PY
cat >look.py <<'PY'
import json
from jwcrypto.jwk import JWKSet

six, two = (JWKSet.from_json(open(name).read()) for name in ("six.json", "two.json"))
first, second = (" ".join(key["kid"] for key in json.loads(six.export())["keys"]) for _ in "ab")
print(first if first == second else "changed in one process", two.get_key("2026")["kty"], sep="\t")
PY
/usr/bin/python3 make.py
for _ in {1..24}; do PYTHONHASHSEED=random /usr/bin/python3 look.py; done >drawn
for _ in {1..4}; do PYTHONHASHSEED=7 /usr/bin/python3 look.py; done >fixed
distinct() { cut -f "$1" "$2" | sort -u; }
{
  echo "in one process: $(grep -q changed drawn fixed && echo changes || echo stays)"
  echo "orders of six keys in 24 processes: $(test "$(distinct 1 drawn | wc -l)" -gt 1 && echo several || echo one)"
  echo "the key of a kid that two share: $(distinct 2 drawn | paste -sd ' ')"
  echo "orders with one PYTHONHASHSEED: $(distinct 1 fixed | wc -l)"
} | tee seen
diff seen - <<'SEEN'
in one process: stays
orders of six keys in 24 processes: several
the key of a kid that two share: EC RSA
orders with one PYTHONHASHSEED: 1
SEEN
