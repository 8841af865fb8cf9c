#!/usr/bin/env bash
# Where two keyring libraries meet on one Secret Service: python3-keyring 23.9.3-2 (Debian) and @napi-rs/keyring 2.1.2 (npm),
# on gnome-keyring 42.1-1+b2 (Debian), with the same service and user name.
#
# Guessed: they share an item in both directions, since each finds the other's.
# Seen: Python reads the item that the addon made, but does not replace it: its attribute `application` is one more, so
# setting the password makes a second item, and from then on the addon's own search finds two and fails. The other way
# round there is no second item: the addon replaces the value in Python's. Python itself goes on with one of
# the two, sometimes the older one, and deletes one of them.
# As root on Debian 12; gnome-keyring and dbus are installed if they are missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash gnome-keyring-daemon secret-tool dbus-run-session gdbus 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 libsecret-tools dbus libglib2.0-bin >/dev/null
apt-get -o APT::Sandbox::User=root download -qq python3-keyring=23.9.3-2 python3-secretstorage=3.3.3-1 python3-jeepney=0.8.0-3 \
  python3-jaraco.classes=3.2.1-3 python3-more-itertools=8.10.0-2 python3-cryptography python3-cffi-backend \
  python3-importlib-metadata python3-zipp
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund @napi-rs/keyring@2.1.2 >/dev/null
cat >addon.cjs <<'JS'
const { Entry } = require("@napi-rs/keyring");
const [, , method, service, value] = process.argv;
const entry = new Entry(service, "user");
try {
  console.log("addon", method, entry[method](...(value ? [value] : [])) ?? "done");
} catch (error) {
  console.log("addon", method, "failed:", error.message.replace(/:.*/s, ""));
}
JS
cat >python.py <<'PY'
import sys, keyring
method, service, *value = sys.argv[1:]
print("python", method, getattr(keyring, method)(service, "user", *value) or "done")
PY
cat >session.sh <<'SH'
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 30 org.freedesktop.secrets
addon() { node addon.cjs "$@"; }
python() { /usr/bin/python3 python.py "$@"; }
items() { echo "items $(secret-tool search --all service "$1" 2>/dev/null | grep -c '^label')"; }
addon setPassword A one && python get_password A
python set_password A two && items A
addon getPassword A
python delete_password A && items A
python set_password B one && addon getPassword B
addon setPassword B two && items B && python get_password B
SH
mkdir -m 700 home run
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run PYTHONPATH=$PWD/unpacked/usr/lib/python3/dist-packages
export PYTHON_KEYRING_BACKEND=keyring.backends.SecretService.Keyring
timeout 60 dbus-run-session -- bash session.sh 2>errors | tee seen || cat errors
diff seen - <<'SEEN'
addon setPassword done
python get_password one
python set_password done
items 2
addon getPassword failed: Entry is matched by 2 credentials
python delete_password done
items 1
python set_password done
addon getPassword one
addon setPassword done
items 1
python get_password two
SEEN
