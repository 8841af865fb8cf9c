#!/usr/bin/env bash
# @fastify/session 11.1.3 with @fastify/cookie 11.1.5 in fastify 5.12.8 (npm) with a list of secrets, the current one first and the
# former one after it, as its readme has it for a rotation, and `saveUninitialized: false`.
#
# Guessed: a cookie of the former secret goes on, as long as that is in the list. `saveUninitialized` is for new sessions that hold
# nothing yet.
# Seen: the first visit is answered as Alice's and deletes her cookie: the next one is logged out, with the former secret still
# in the list, and her session in the store. The cookie is not the one that the current secret would make, so it
# counts as that of another session. A visit that changes the session has a new cookie instead, and with
# `saveUninitialized: true`, the default, so has each. With the former secret first nothing is deleted.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund fastify@5.12.8 @fastify/cookie@11.1.5 @fastify/session@11.1.3 >/dev/null
cat >try.mjs <<'JS'
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import Fastify from "fastify";

const former = "f".repeat(32);
const current = "c".repeat(32);
function memory(sessions) {
  return {
    get: (id, done) => done(null, sessions.has(id) ? JSON.parse(sessions.get(id)) : null),
    set: (id, session, done) => { sessions.set(id, JSON.stringify(session)); done(); },
    destroy: (id, done) => { sessions.delete(id); done(); },
  };
}
async function visit(browser, options, url) {
  const app = Fastify();
  await app.register(fastifyCookie);
  await app.register(fastifySession, { cookie: { secure: false }, ...options });
  app.get("/login", async ({ session }) => { session.user = "alice"; });
  app.get("/", async ({ session }) => session.user ?? "logged out");
  app.get("/change", async ({ session }) => { session.last = "change"; return session.user ?? "logged out"; });
  const answer = await app.inject({ url, cookies: browser });
  for (const { name, value, maxAge } of answer.cookies) {
    if (maxAge === 0) delete browser[name];
    else browser[name] = value;
  }
  await app.close();
  return answer.body;
}
for (const saveUninitialized of [true, false]) {
  for (const [order, secret] of [["current, former", [current, former]], ["former, current", [former, current]]]) {
    for (const path of ["/", "/change"]) {
      const sessions = new Map();
      const options = { store: memory(sessions), saveUninitialized };
      const browser = {};
      await visit(browser, { ...options, secret: [former] }, "/login");
      const [id] = sessions.keys();
      const first = await visit(browser, { ...options, secret }, path);
      const second = await visit(browser, { ...options, secret }, "/");
      const title = `saveUninitialized ${saveUninitialized}, ${order}, a ${path === "/" ? "visit" : "change"}`;
      console.log(`${title}: ${first}, then ${second}${sessions.has(id) ? "" : ", not in the store"}`);
    }
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
saveUninitialized true, current, former, a visit: alice, then alice
saveUninitialized true, current, former, a change: alice, then alice
saveUninitialized true, former, current, a visit: alice, then alice
saveUninitialized true, former, current, a change: alice, then alice
saveUninitialized false, current, former, a visit: alice, then logged out
saveUninitialized false, current, former, a change: alice, then alice
saveUninitialized false, former, current, a visit: alice, then alice
saveUninitialized false, former, current, a change: alice, then alice
SEEN
