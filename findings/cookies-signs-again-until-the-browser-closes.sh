#!/usr/bin/env bash
# cookie-session 2.1.1 and koa-session 7.0.2 in koa 3.3.0, both on cookies 0.9 (npm), with `keys`, the current one first and the
# former one after it, and sessions of 30 days; a browser's cookies are kept by tough-cookie 6.0.0.
#
# Guessed: a cookie that the former key has signed is accepted and signed with the current one, which the readme of cookies
# has as its way to rotate keys. So it stays good for the rest of its 30 days, and the former key can go.
# Seen: what is set again is the signature alone, without the options of the first: no expiry. The session then has 30 days, and
# its signature lasts until the browser is closed. Whoever came back after the rotation is logged out by the next start of
# the browser; whoever did not come back is not. A session on `path: "/app"` gets a second signature, on "/", and the browser
# sends the former one first: it is never replaced, and the user is out when the former key goes.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund cookies@0.9.2 cookie-session@2.1.1 koa@3.3.0 koa-session@7.0.2 tough-cookie@6.0.0 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import cookieSession from "cookie-session";
import Koa from "koa";
import { createSession } from "koa-session";
import { CookieJar } from "tough-cookie";

const maxAge = 30 * 86_400_000;
const makers = {
  "cookie-session": (keys, path) => (request, response) =>
    cookieSession({ keys, maxAge, path })(request, response, () => {
      if (request.url.endsWith("/login")) request.session = { user: "alice" };
      response.end(request.session.user ?? "logged out");
    }),
  "koa-session": (keys, path) => {
    const koa = new Koa();
    koa.keys = keys;
    koa.use(createSession({ maxAge, path }, koa));
    koa.use((context) => {
      if (context.url.endsWith("/login")) context.session.user = "alice";
      context.body = context.session.user ?? "logged out";
    });
    return koa.callback();
  },
};
async function visit(handler, jar, path) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}${path}`;
  const answer = await fetch(url, { headers: { cookie: await jar.getCookieString(url) } });
  for (const cookie of answer.headers.getSetCookie()) await jar.setCookie(cookie, url);
  server.close();
  server.closeAllConnections();
  return await answer.text();
}
/** What a browser has left when it was closed and started. */
async function restarted(jar) {
  const kept = await jar.serialize();
  return CookieJar.deserialize({ ...kept, cookies: kept.cookies.filter(({ expires }) => expires && expires !== "Infinity") });
}
for (const [name, maker] of Object.entries(makers)) {
  for (const path of ["/", "/app"]) {
    const handler = (...keys) => maker(keys, path);
    const page = path.replace(/\/$/, "");
    const browser = new CookieJar();
    await visit(handler("former"), browser, `${page}/login`);
    console.log(`${name}, path ${path}`);
    console.log("  no visit, restart:", await visit(handler("current", "former"), await restarted(browser), `${page}/`));
    console.log("  a visit after the rotation:", await visit(handler("current", "former"), browser, `${page}/`));
    console.log("  then a restart:", await visit(handler("current", "former"), await restarted(browser), `${page}/`));
    console.log("  or the former key gone:", await visit(handler("current"), browser, `${page}/`));
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
cookie-session, path /
  no visit, restart: alice
  a visit after the rotation: alice
  then a restart: logged out
  or the former key gone: alice
cookie-session, path /app
  no visit, restart: alice
  a visit after the rotation: alice
  then a restart: alice
  or the former key gone: logged out
koa-session, path /
  no visit, restart: alice
  a visit after the rotation: alice
  then a restart: logged out
  or the former key gone: alice
koa-session, path /app
  no visit, restart: alice
  a visit after the rotation: alice
  then a restart: alice
  or the former key gone: logged out
SEEN
