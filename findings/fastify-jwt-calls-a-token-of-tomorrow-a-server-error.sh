#!/usr/bin/env bash
# @fastify/jwt 10.2.8 (npm) in fastify 5.12.8, with fast-jwt 6.3.6: the status for tokens that are refused.
#
# Guessed: a token that is refused is answered with 401 (RFC 6750 §3.1), whatever about it is refused.
# Seen: `exp` that is over, another `aud`, `iss` or key, a claim that is missing: 401. A token whose `nbf` is still to
# come: 500, FAST_JWT_INACTIVE, "Internal Server Error". So an issuer whose clock is a second ahead shows as an outage of the
# server, in its alarms and to clients that try again after 5xx. `clockTolerance`, or a handler for that code, avoids it.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund @fastify/jwt@10.2.8 fastify@5.12.8 fast-jwt@6.3.6 >/dev/null
cat >try.mjs <<'JS'
import jwt from "@fastify/jwt";
import { createSigner } from "fast-jwt";
import Fastify from "fastify";

const secret = "0123456789abcdef".repeat(4);
const now = Math.floor(Date.now() / 1000);
const whole = { sub: "alice", iss: "issuer", aud: "api", exp: now + 300 };
const token = (claims, key = secret) => createSigner({ key })({ ...whole, ...claims });
const tokens = {
  "as it should be": token({}),
  "exp a minute ago": token({ exp: now - 60 }),
  "another aud": token({ aud: "other" }),
  "another iss": token({ iss: "other" }),
  "no sub": token({ sub: undefined }),
  "another key": token({}, secret.toUpperCase()),
  "nbf in a minute": token({ nbf: now + 60 }),
};

async function ask(verify, name) {
  const app = Fastify();
  app.register(jwt, { secret, verify });
  app.get("/", (request) => request.jwtVerify());
  const headers = { authorization: `Bearer ${tokens[name]}` };
  const answer = await app.inject({ url: "/", headers });
  console.log(`${name}: ${answer.statusCode} ${answer.json().code ?? ""}`.trim());
}

const verify = { allowedIss: "issuer", allowedAud: "api", requiredClaims: ["sub"] };
for (const name of Object.keys(tokens)) await ask(verify, name);
console.log("with clockTolerance:");
await ask({ ...verify, clockTolerance: 90_000 }, "nbf in a minute");
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
as it should be: 200
exp a minute ago: 401 FST_JWT_AUTHORIZATION_TOKEN_EXPIRED
another aud: 401 FST_JWT_AUTHORIZATION_TOKEN_INVALID
another iss: 401 FST_JWT_AUTHORIZATION_TOKEN_INVALID
no sub: 401 FST_JWT_AUTHORIZATION_TOKEN_INVALID
another key: 401 FST_JWT_AUTHORIZATION_TOKEN_INVALID
nbf in a minute: 500 FAST_JWT_INACTIVE
with clockTolerance:
nbf in a minute: 200
SEEN
