#!/usr/bin/env bash
# Four middlewares with a key set at a URL: express-jwt 8.5.1, passport-jwt 4.0.1 with passport 0.7.0, and koa-jwt 4.0.4 with koa
# 3.3.0, all three with jwks-rsa 4.1.0, and express-oauth2-jwt-bearer 1.10.0 (npm), while the issuer answers 503.
#
# Guessed: a good token whose key cannot be fetched is no one's fault but the server's: 5xx, as express-jwt does, and the
# provider's error is passed on.
# Seen: the three others answer 401, as to a wrong signature. passport-jwt tells no one why, and the last one calls it
# `invalid_token`. A client takes that for the end of its session and throws the token away, no alarm on 5xx rings, and so a
# minute without the issuer logs out whoever asked in it. A key that is kept, as it is unless told otherwise, makes that rarer.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund jwks-rsa@4.1.0 express@5.3.0 express-jwt@8.5.1 passport@0.7.0 passport-jwt@4.0.1 \
  koa@3.3.0 koa-jwt@4.0.4 express-oauth2-jwt-bearer@1.10.0 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import express from "express";
import { expressjwt } from "express-jwt";
import { auth } from "express-oauth2-jwt-bearer";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import jwksRsa from "jwks-rsa";
import Koa from "koa";
import koaJwt from "koa-jwt";
import passport from "passport";
import { ExtractJwt, Strategy } from "passport-jwt";

const algorithms = ["RS256"];
const header = { alg: "RS256", kid: "2026" };
const { publicKey, privateKey } = await generateKeyPair("RS256");
const set = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...header, use: "sig" }] });
const sign = (key) => new SignJWT({ sub: "alice", iss: "https://issuer.example/", aud: "api" })
  .setProtectedHeader(header).setExpirationTime("1h").sign(key);
const good = await sign(privateKey);
const wrong = await sign((await generateKeyPair("RS256")).privateKey);

let status;
const issuer = createServer((_request, response) => response.writeHead(status).end(set)).listen(0, "127.0.0.1");
await once(issuer, "listening");
const source = { jwksUri: `http://127.0.0.1:${issuer.address().port}/`, cache: false };

const hello = (_request, response) => response.send("hello");
const failed = (error, _request, response, _next) => response.status(error.status ?? 500).send(error.message);
const jwtFromRequest = ExtractJwt.fromAuthHeaderAsBearerToken();
const secretOrKeyProvider = jwksRsa.passportJwtSecret(source);
passport.use(new Strategy({ jwtFromRequest, secretOrKeyProvider, algorithms }, (payload, done) => done(null, payload)));
const koa = new Koa();
koa.use(koaJwt({ secret: jwksRsa.koaJwtSecret(source), algorithms }));
koa.use((context) => { context.body = "hello"; });
const servers = {
  "express-jwt": express().use(expressjwt({ secret: jwksRsa.expressJwtSecret(source), algorithms }), hello, failed),
  "passport-jwt": express().use(passport.authenticate("jwt", { session: false }), hello, failed),
  "koa-jwt": koa,
  "express-oauth2-jwt-bearer": express().use((request, response, next) => {
    // One of its own for each request, since it cannot be told to keep nothing.
    auth({ issuer: "https://issuer.example/", audience: "api", jwksUri: source.jwksUri })(request, response, next);
  }, hello, failed),
};
for (const [name, application] of Object.entries(servers)) {
  const server = application.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ask = async (token, issuerStatus) => {
    status = issuerStatus;
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
    return `${answer.status} ${await answer.text()}`;
  };
  console.log(`${name}, good token: ${await ask(good, 200)}`);
  console.log(`${name}, wrong signature: ${await ask(wrong, 200)}`);
  console.log(`${name}, good token, the issuer is away: ${await ask(good, 503)}`);
  server.close();
  server.closeAllConnections();
}
issuer.close();
issuer.closeAllConnections();
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
express-jwt, good token: 200 hello
express-jwt, wrong signature: 401 invalid signature
express-jwt, good token, the issuer is away: 500 Service Unavailable
passport-jwt, good token: 200 hello
passport-jwt, wrong signature: 401 Unauthorized
passport-jwt, good token, the issuer is away: 401 Unauthorized
koa-jwt, good token: 200 hello
koa-jwt, wrong signature: 401 Authentication Error
koa-jwt, good token, the issuer is away: 401 Authentication Error
express-oauth2-jwt-bearer, good token: 200 hello
express-oauth2-jwt-bearer, wrong signature: 401 signature verification failed
express-oauth2-jwt-bearer, good token, the issuer is away: 401 Expected 200 OK from the JSON Web Key Set HTTP response
SEEN
