#!/usr/bin/env bash
# Where a native addon and its runtime meet: AsyncEntry of @napi-rs/keyring 2.1.2 (npm) in Node.js and in Deno 2.7.11 (npm),
# with gnome-keyring 42.1-1+b2 (Debian) taking two seconds to answer.
#
# Guessed: getPassword() of AsyncEntry returns a promise, so timers go on meanwhile, as they do in Node.js.
# Seen: in Deno the thread that calls stands still until the keyring answers; no timer runs, the one that was to give up
# included. A deadline for a keyring call needs a Worker there. Deno 2.9.6 does as Node.js does.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
hash gnome-keyring-daemon dbus-run-session gdbus 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends gnome-keyring=42.1-1+b2 dbus libglib2.0-bin >/dev/null
npm install --silent --no-audit --no-fund @napi-rs/keyring@2.1.2 deno@2.7.11 >/dev/null
cat >wait.mjs <<'JS'
import { AsyncEntry } from "@napi-rs/keyring";
import { spawn } from "node:child_process";
const entry = new AsyncEntry("a-service", "a-user");
await entry.setPassword("a value");
spawn("sh", ["-c", "pkill -STOP -x -s 0 gnome-keyring-d; sleep 2; pkill -CONT -x -s 0 gnome-keyring-d"], { stdio: "ignore" });
await new Promise((resolve) => setTimeout(resolve, 500));
let ticks = 0;
const timer = setInterval(() => ticks++, 100);
const value = await entry.getPassword();
clearInterval(timer);
console.log(`${globalThis.Deno ? `deno ${Deno.version.deno}` : "node"}: ${value}, ${ticks > 8 ? "timers ran" : ticks === 0 ? "no timer ran" : "some timers ran"}`);
process.exit();
JS
cat >session.sh <<'SH'
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 30 org.freedesktop.secrets
node wait.mjs
./node_modules/.bin/deno run -A --quiet --node-modules-dir=manual wait.mjs
SH
mkdir -m 700 home run
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run DENO_NO_UPDATE_CHECK=1
timeout 60 dbus-run-session -- setsid --wait bash session.sh 2>errors | tee seen || cat errors
diff seen - <<'SEEN'
node: a value, timers ran
deno 2.7.11: a value, no timer ran
SEEN
