#!/usr/bin/env bash
# better-auth 1.7.25 (npm) with versioned `secrets`, the current one first and the former one after it, as its documentation has
# it for a rotation that destroys nothing and needs no down time.
#
# Guessed: a session of before the rotation goes on, as long as the former secret is in the list. It is in the database
# anyway, and the cookie has its name.
# Seen: each session is over. `secrets` are for what is encrypted; the cookie is signed, with the first of them, and read with
# the first alone. The rows stay in the database, and a rotation that puts the former one first again brings each back.
# A cookie cache of encrypted tokens (`strategy: "jwe"`), which has the version of its secret in it, changes nothing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund better-auth@1.7.25 >/dev/null
cat >try.mjs <<'JS'
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { symmetricDecrypt, symmetricEncrypt } from "better-auth/crypto";
import { randomBytes } from "node:crypto";

const former = { version: 1, value: randomBytes(32).toString("base64url") };
const current = { version: 2, value: randomBytes(32).toString("base64url") };

async function run(title, session) {
  const tables = { user: [], session: [], account: [], verification: [] };
  const auth = (secrets) => betterAuth({
    baseURL: "http://127.0.0.1:3000",
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    secrets,
    session,
  });
  const body = { name: "Alice", email: "alice@example.org", password: "correct horse" };
  const answer = await auth([former]).api.signUpEmail({ body, asResponse: true });
  const cookie = answer.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  for (const [order, secrets] of Object.entries({
    "former": [former],
    "current, former": [current, former],
    "former, current": [former, current],
  })) {
    const found = await auth(secrets).api.getSession({ headers: new Headers({ cookie }) });
    console.log(`${title}, secrets ${order}: ${found ? found.user.name : "no session"}, ${tables.session.length} in the database`);
  }
}
const keys = new Map([current, former].map(({ version, value }) => [version, value]));
const data = await symmetricEncrypt({ key: { keys, currentVersion: 1 }, data: "encrypted with the former one is read" });
console.log(await symmetricDecrypt({ key: { keys, currentVersion: 2 }, data }));
await run("database alone", {});
await run("jwe cache", { cookieCache: { enabled: true, strategy: "jwe" } });
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
encrypted with the former one is read
database alone, secrets former: Alice, 1 in the database
database alone, secrets current, former: no session, 1 in the database
database alone, secrets former, current: Alice, 1 in the database
jwe cache, secrets former: Alice, 1 in the database
jwe cache, secrets current, former: no session, 1 in the database
jwe cache, secrets former, current: Alice, 1 in the database
SEEN
