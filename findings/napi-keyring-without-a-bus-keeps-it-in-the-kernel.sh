#!/usr/bin/env bash
# @napi-rs/keyring 2.1.2 (npm) on Linux, with no session bus and so no Secret Service.
#
# Guessed: setPassword() throws, as Python's keyring does where no service keeps the value.
# Seen: it returns as if all were well, and getPassword() gives the value back, in later processes of the session too. It is
# a key of the kernel's (keyutils), in memory only, and no restart leaves it there. The caller is not told which of the two
# it was: whoever wants a value that lasts has to ask for the service first.
# As root on Debian 12 (keyutils is installed if it is missing), not in a container that forbids kernel keys.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
command -v keyctl >/dev/null || apt-get install -y -qq --no-install-recommends keyutils >/dev/null
npm install --silent --no-audit --no-fund @napi-rs/keyring@2.1.2 >/dev/null
cat >keep.cjs <<'JS'
const { Entry } = require("@napi-rs/keyring");
const { readFileSync } = require("node:fs");
const entry = new Entry("a-service", "a-user");
const say = (what) => {
  const inKernel = readFileSync("/proc/keys", "utf8").includes("keyring:a-user@a-service");
  console.log(`${what}: ${entry.getPassword()}, ${inKernel ? "a key of the kernel's" : "no key"}`);
};
if (process.argv[2] === "set") {
  say("before");
  entry.setPassword("a value");
  say("set");
} else {
  say("another process");
  entry.deletePassword();
}
JS
# A session of its own, as a login has it: other keys of the user's stay out of it.
env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/nonexistent keyctl session - sh -c 'node keep.cjs set && node keep.cjs get' \
  2>/dev/null | tee seen
diff seen - <<'SEEN'
before: null, no key
set: a value, a key of the kernel's
another process: a value, a key of the kernel's
SEEN
