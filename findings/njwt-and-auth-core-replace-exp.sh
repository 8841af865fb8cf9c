#!/usr/bin/env bash
# njwt 2.0.1 and `encode` of @auth/core 0.41.3 (npm) with claims that have an `exp`, as an application signs again, with the new
# secret, what a token of the former one says; beside jose 6.2.17, jsonwebtoken 9.0.3 and fast-jwt 6.3.6.
#
# Guessed: what is in the claims is signed, `exp` too, so the user is logged in for as long as before.
# Seen: njwt writes an hour from now into `exp`, @auth/core thirty days (`maxAge`) and another `jti`. A token that had a minute
# left has an hour or a month, each time it is signed, and with @auth/core a list of ended sessions that goes by `jti` has
# it no more. With njwt `setExpiration` sets it afterwards, with @auth/core only `maxAge` does.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund njwt@2.0.1 @auth/core@0.41.3 jose@6.2.17 jsonwebtoken@9.0.3 fast-jwt@6.3.6 >/dev/null
cat >try.mjs <<'JS'
import { decode, encode } from "@auth/core/jwt";
import { createSigner } from "fast-jwt";
import { decodeJwt, SignJWT } from "jose";
import jsonwebtoken from "jsonwebtoken";
import njwt from "njwt";

const secret = "s".repeat(32);
const salt = "session";
const now = Math.floor(Date.now() / 1000);
const claims = { sub: "alice", jti: "session-7", iat: now - 3540, exp: now + 60 };
const signed = {
  "jose": await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret)),
  "jsonwebtoken": jsonwebtoken.sign(claims, secret),
  "fast-jwt": createSigner({ key: secret })(claims),
  "njwt": njwt.create({ ...claims }, secret).compact(),
  "njwt, setExpiration": njwt.create({ ...claims }, secret).setExpiration(claims.exp * 1000).compact(),
};
const read = Object.fromEntries(Object.entries(signed).map(([name, token]) => [name, decodeJwt(token)]));
read["@auth/core"] = await decode({ token: await encode({ token: claims, secret, salt }), secret, salt });
read["@auth/core, maxAge"] = await decode({ token: await encode({ token: claims, secret, salt, maxAge: 60 }), secret, salt });
for (const [name, { exp, jti }] of Object.entries(read)) {
  console.log(`${name}: ${Math.round((exp - now) / 60)} minutes left, jti ${jti === claims.jti ? "kept" : "another"}`);
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
jose: 1 minutes left, jti kept
jsonwebtoken: 1 minutes left, jti kept
fast-jwt: 1 minutes left, jti kept
njwt: 60 minutes left, jti kept
njwt, setExpiration: 1 minutes left, jti kept
@auth/core: 43200 minutes left, jti another
@auth/core, maxAge: 1 minutes left, jti another
SEEN
