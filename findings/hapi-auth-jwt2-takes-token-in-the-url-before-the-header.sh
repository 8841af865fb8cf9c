#!/usr/bin/env bash
# hapi-auth-jwt2 11.0.0 (npm) in @hapi/hapi 21.4.10 (npm): where it looks for a token.
#
# Guessed: a server that is asked with an `Authorization` header reads that, and what a URL calls `token` is the
# application's own, as with @hapi/jwt 3.2.4.
# Seen: `?token=` comes first, unasked for. A page that confirms an address or a new password under `?token=…` refuses everyone
# who has logged in, with a right header, as "Missing authentication". A cookie `token` counts too, and that one only
# without a header. `urlKey: false` and `cookieKey: false` turn both off.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund hapi-auth-jwt2@11.0.0 @hapi/jwt@3.2.4 @hapi/hapi@21.4.10 jsonwebtoken@9.0.3 >/dev/null
cat >try.mjs <<'JS'
import Hapi from "@hapi/hapi";
import HapiJwt from "@hapi/jwt";
import jsonwebtoken from "jsonwebtoken";
import jwt2 from "hapi-auth-jwt2";

const key = "0123456789abcdef".repeat(4);
const of = (sub) => jsonwebtoken.sign({ sub }, key, { expiresIn: "5m" });
const header = { authorization: `Bearer ${of("alice")}` };
const requests = {
  "header": { url: "/", headers: header },
  "header, ?token=8f3a": { url: "/?token=8f3a", headers: header },
  "header, cookie": { url: "/", headers: { ...header, cookie: `token=${of("bob")}` } },
  "cookie": { url: "/", headers: { cookie: `token=${of("bob")}` } },
};
const verify = { aud: false, iss: false, sub: false };
const setups = {
  "hapi-auth-jwt2": [jwt2, { key, validate: () => ({ isValid: true }) }],
  "with urlKey and cookieKey false": [jwt2, { key, urlKey: false, cookieKey: false, validate: () => ({ isValid: true }) }],
  "@hapi/jwt": [HapiJwt, { keys: key, verify, validate: ({ decoded }) => ({ isValid: true, credentials: decoded.payload }) }],
};
for (const [name, [plugin, options]] of Object.entries(setups)) {
  const server = Hapi.server();
  await server.register(plugin);
  server.auth.strategy("jwt", "jwt", options);
  server.route({ method: "GET", path: "/", options: { auth: "jwt" }, handler: ({ auth }) => auth.credentials.sub });
  for (const [kind, request] of Object.entries(requests)) {
    const { statusCode, payload } = await server.inject(request);
    console.log(`${name}: ${kind}: ${statusCode === 200 ? payload : `${statusCode} ${JSON.parse(payload).message}`}`);
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
hapi-auth-jwt2: header: alice
hapi-auth-jwt2: header, ?token=8f3a: 401 Missing authentication
hapi-auth-jwt2: header, cookie: alice
hapi-auth-jwt2: cookie: bob
with urlKey and cookieKey false: header: alice
with urlKey and cookieKey false: header, ?token=8f3a: alice
with urlKey and cookieKey false: header, cookie: alice
with urlKey and cookieKey false: cookie: 401 Missing authentication
@hapi/jwt: header: alice
@hapi/jwt: header, ?token=8f3a: alice
@hapi/jwt: header, cookie: alice
@hapi/jwt: cookie: 401 Missing authentication
SEEN
