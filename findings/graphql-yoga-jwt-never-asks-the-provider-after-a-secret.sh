#!/usr/bin/env bash
# @graphql-yoga/plugin-jwt 3.18.1 in graphql-yoga 5.24.1 (npm) with two `signingKeyProviders`, which are there "to allow for
# key rotation, fallbacks, etc."
#
# Guessed: a token that the first key does not verify is tried with the second, so `[current, former]` is a grace period, and
# `[secret, set]` a move from a secret to a key pair.
# Seen: it takes the first provider that has a key, whatever the token. An inline secret always has one: what comes after it
# is never asked, and its tokens get 401. A set goes first: for a `kid` that it lacks the secret after it counts.
# Two secrets need a provider of one's own that picks by `kid`.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund graphql@16.15.0 graphql-yoga@5.24.1 @graphql-yoga/plugin-jwt@3.18.1 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import { createServer } from "node:http";
import { createInlineSigningKeyProvider, createRemoteJwksSigningKeyProvider, useJWT } from "@graphql-yoga/plugin-jwt";
import { createSchema, createYoga } from "graphql-yoga";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const secrets = { former: "f".repeat(32), current: "c".repeat(32) };
const { publicKey, privateKey } = await generateKeyPair("RS256");
const keys = [{ ...(await exportJWK(publicKey)), kid: "pair", alg: "RS256", use: "sig" }];
const issuer = createServer((_request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ keys }));
}).listen(0, "127.0.0.1");
await once(issuer, "listening");

function token(kid) {
  const [alg, key] = kid === "pair" ? ["RS256", privateKey] : ["HS256", new TextEncoder().encode(secrets[kid])];
  return new SignJWT({ sub: "alice" }).setProtectedHeader({ alg, kid }).setExpirationTime("1h").sign(key);
}
const secret = (name) => createInlineSigningKeyProvider(secrets[name]);
const set = () => createRemoteJwksSigningKeyProvider({ jwksUri: `http://127.0.0.1:${issuer.address().port}/` });
const byKid = (kid) => secrets[kid];
const lists = {
  "current, former": [[secret("current"), secret("former")], ["current", "former"]],
  "former, set": [[secret("former"), set()], ["former", "pair"]],
  "set, former": [[set(), secret("former")], ["former", "pair"]],
  "by kid": [[byKid], ["current", "former"]],
};
const schema = createSchema({
  typeDefs: "type Query { user: String }",
  resolvers: { Query: { user: (_root, _args, context) => context.jwt.payload.sub } },
});
for (const [name, [signingKeyProviders, kids]] of Object.entries(lists)) {
  const jwt = useJWT({ signingKeyProviders, tokenVerification: { algorithms: ["HS256", "RS256"] } });
  const yoga = createYoga({ logging: false, schema, plugins: [jwt] });
  for (const kid of kids) {
    const headers = { authorization: `Bearer ${await token(kid)}` };
    const { status } = await yoga.fetch("http://app.example/graphql?query={user}", { headers });
    console.log(`${name}: a token of ${kid}: ${status}`);
  }
}
issuer.close();
issuer.closeAllConnections();
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
current, former: a token of current: 200
current, former: a token of former: 401
former, set: a token of former: 200
former, set: a token of pair: 401
set, former: a token of former: 200
set, former: a token of pair: 200
by kid: a token of current: 200
by kid: a token of former: 200
SEEN
