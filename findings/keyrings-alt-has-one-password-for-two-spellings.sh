#!/usr/bin/env bash
# The file backend of Python's keyring: PlaintextKeyring of keyrings.alt 4.2.0 (Debian, python3-keyrings.alt 4.2.0-1), with
# python3-keyring 23.9.3-2.
#
# Guessed: a password belongs to one service and one user name, both as they are written; other backends keep them apart.
# Seen: upper and lower case of A to Z in a user name are one: `alice` takes the place of `Alice`, without a word. For a service
# they are two, and so they are for other letters, `Ä` and `ä` say. Who deletes one spelling deletes the other's.
# And a service that is called `DEFAULT` is refused as an "Invalid section name". The file is written by configparser,
# whose names of options and of that section these are.
# On Debian 12; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq python3-keyrings.alt=4.2.0-1 python3-keyring=23.9.3-2 \
  python3-jaraco.classes=3.2.1-3 python3-more-itertools=8.10.0-2 python3-importlib-metadata python3-zipp
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >try.py <<'PY'
from keyrings.alt.file import PlaintextKeyring

ring = PlaintextKeyring()
ring.file_path = "passwords.cfg"

def store(service, user, password):
    ring.set_password(service, user, password)
    print(f"stored for {user} at {service}: {password}")

def show(service, user):
    print(f"{user} at {service}: {ring.get_password(service, user)}")

store("mail", "Alice", "first")
store("mail", "alice", "second")
store("Mail", "alice", "third")
store("mail", "Ä", "fourth")
store("mail", "ä", "fifth")
for service, user in ("mail", "Alice"), ("mail", "alice"), ("Mail", "alice"), ("mail", "Ä"), ("mail", "ä"):
    show(service, user)
ring.delete_password("mail", "ALICE")
print("deleted for ALICE at mail")
show("mail", "alice")
try:
    store("DEFAULT", "alice", "sixth")
except ValueError as error:
    print(error)
PY
PYTHONPATH=unpacked/usr/lib/python3/dist-packages /usr/bin/python3 try.py | tee seen
diff seen - <<'SEEN'
stored for Alice at mail: first
stored for alice at mail: second
stored for alice at Mail: third
stored for Ä at mail: fourth
stored for ä at mail: fifth
Alice at mail: second
alice at mail: second
alice at Mail: third
Ä at mail: fourth
ä at mail: fifth
deleted for ALICE at mail
alice at mail: None
Invalid section name: 'DEFAULT'
SEEN
