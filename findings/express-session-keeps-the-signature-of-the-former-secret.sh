#!/usr/bin/env bash
# express-session 1.19.0 (npm) with a list of secrets, the current one first and the former one after it, as its readme has it
# for a rotation that ends no session.
#
# Guessed: whoever visits after the rotation gets a cookie that the current secret has signed, as with cookies (koa) and
# @fastify/secure-session. So the former secret can go when each has come once, or after the life of a cookie.
# Seen: the cookie is left as it is, also when the session is written (`resave`) and changed, as long as it has no `maxAge`. Such
# a user is logged out when the former secret leaves the list, however often they came. With a `maxAge` it is signed
# again when the session changes, not by a visit; with `rolling` by each answer. Set `rolling` for the grace period.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund express-session@1.19.0 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import session from "express-session";

const day = 86_400_000;
const choices = {
  "no option": {},
  "resave": { resave: true },
  "maxAge": { cookie: { maxAge: 30 * day } },
  "rolling": { rolling: true },
};
async function visit(browser, options, path) {
  const middleware = session({ resave: false, saveUninitialized: false, ...options });
  const server = createServer((request, response) =>
    middleware(request, response, () => {
      if (path === "/login") request.session.user = "alice";
      if (path === "/change") request.session.last = "change";
      response.end(request.session.user ?? "logged out");
    })
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const headers = browser.cookie ? { cookie: browser.cookie } : {};
  const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers });
  const text = await answer.text();
  const [cookie] = answer.headers.getSetCookie();
  if (cookie) browser.cookie = cookie.split(";")[0];
  server.close();
  server.closeAllConnections();
  return text;
}
for (const [name, choice] of Object.entries(choices)) {
  for (const path of ["/", "/change"]) {
    const options = { store: new session.MemoryStore(), ...choice };
    const browser = {};
    await visit(browser, { ...options, secret: ["former"] }, "/login");
    const during = await visit(browser, { ...options, secret: ["current", "former"] }, path);
    const after = await visit(browser, { ...options, secret: ["current"] }, "/");
    console.log(`${name}, ${path === "/" ? "a visit" : "a change"}: ${during}, then without the former secret ${after}`);
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
no option, a visit: alice, then without the former secret logged out
no option, a change: alice, then without the former secret logged out
resave, a visit: alice, then without the former secret logged out
resave, a change: alice, then without the former secret logged out
maxAge, a visit: alice, then without the former secret logged out
maxAge, a change: alice, then without the former secret alice
rolling, a visit: alice, then without the former secret alice
rolling, a change: alice, then without the former secret alice
SEEN
