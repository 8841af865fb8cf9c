#!/usr/bin/env bash
# @auth/core 0.41.3 (npm) with `AUTH_SECRET` and `AUTH_SECRET_1`, …, which its errors and `setEnvDefaults` know beside a list in
# `secret`, of which it encrypts with the first.
#
# Guessed: `AUTH_SECRET` is the current one, and those with numbers are the former ones, as their names read: what is new goes
# into `AUTH_SECRET`, and what was there moves to `AUTH_SECRET_1`.
# Seen: each one with a number is put before those that were there, so the highest number encrypts. After that rotation new
# sessions still have the former secret. Each works, until `AUTH_SECRET_1` is taken away: then everyone is logged out,
# those who logged in since as well. Only the first four are read: `AUTH_SECRET_4` is not.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund @auth/core@0.41.3 >/dev/null
cat >try.mjs <<'JS'
import { setEnvDefaults } from "@auth/core";
import { decode, encode } from "@auth/core/jwt";

const secrets = Object.fromEntries(["oldest", "older", "former", "current"].map((name) => [name, name.padEnd(32, "x")]));
const salt = "session";
function configured(names) {
  const config = { providers: [] };
  setEnvDefaults(Object.fromEntries(Object.entries(names).map(([name, secret]) => [name, secrets[secret]])), config);
  return config.secret;
}
const reads = (token, secret) => decode({ token, secret, salt }).then(({ sub }) => `reads ${sub}`, () => "refuses it");

async function rotation(names) {
  const secret = configured(names);
  const token = await encode({ token: { sub: "alice" }, secret, salt });
  console.log(JSON.stringify(names));
  for (const name of new Set(Object.values(names))) {
    console.log(`  a new session: ${name} alone ${await reads(token, [secrets[name]])}`);
  }
}
await rotation({ AUTH_SECRET: "current", AUTH_SECRET_1: "former" });
await rotation({ AUTH_SECRET: "former", AUTH_SECRET_1: "current" });
await rotation({ AUTH_SECRET: "current", AUTH_SECRET_1: "former", AUTH_SECRET_2: "older", AUTH_SECRET_3: "oldest" });
const four = configured({ AUTH_SECRET: "former", AUTH_SECRET_4: "current" });
console.log(`AUTH_SECRET and AUTH_SECRET_4: ${four.length} secret`);
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
{"AUTH_SECRET":"current","AUTH_SECRET_1":"former"}
  a new session: current alone refuses it
  a new session: former alone reads alice
{"AUTH_SECRET":"former","AUTH_SECRET_1":"current"}
  a new session: former alone refuses it
  a new session: current alone reads alice
{"AUTH_SECRET":"current","AUTH_SECRET_1":"former","AUTH_SECRET_2":"older","AUTH_SECRET_3":"oldest"}
  a new session: current alone refuses it
  a new session: former alone refuses it
  a new session: older alone refuses it
  a new session: oldest alone reads alice
AUTH_SECRET and AUTH_SECRET_4: 1 secret
SEEN
