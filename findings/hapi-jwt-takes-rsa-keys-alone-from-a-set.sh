#!/usr/bin/env bash
# @hapi/jwt 3.2.4 (npm) in @hapi/hapi 21.4.3 (npm) with a JWK Set at a URL, for tokens of ES256.
#
# Guessed: it verifies ES256 with a key in PEM, so it does with the same key from a set, where `kid` tells which.
# Seen: of a set it takes RSA keys with `use` "sig" alone, and leaves out all others in silence: their tokens are answered
# with 401. When the last RSA key leaves, as at the end of a change from RS256 to ES256, "JWKS endpoint response contained
# no valid keys" keeps the server from starting. A function that answers with the PEM for a `kid` can take the URL's place.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund @hapi/jwt@3.2.4 @hapi/hapi@21.4.3 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import Hapi from "@hapi/hapi";
import Jwt from "@hapi/jwt";
import { SignJWT } from "jose";

const pairs = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const jwks = (...names) => ({
  keys: names.map((alg) => ({ ...pairs[alg].publicKey.export({ format: "jwk" }), kid: alg, alg, use: "sig" })),
});
const tokens = {};
for (const [alg, { privateKey }] of Object.entries(pairs)) {
  tokens[alg] = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg, kid: alg }).setExpirationTime("5m").sign(privateKey);
}

async function asked(keys, name) {
  const server = Hapi.server();
  try {
    await server.register(Jwt);
    const verify = { aud: false, iss: false, sub: false };
    server.auth.strategy("jwt", "jwt", { keys, verify, validate: () => ({ isValid: true }) });
    server.route({ method: "GET", path: "/", options: { auth: "jwt" }, handler: () => "hello" });
    await server.initialize();
    const headers = { authorization: `Bearer ${tokens[name]}` };
    return (await server.inject({ url: "/", headers })).statusCode;
  } catch (error) {
    return error.message;
  } finally {
    await server.stop();
  }
}

let set;
const source = createServer((_request, response) => response.end(JSON.stringify(set))).listen(0, "127.0.0.1");
await once(source, "listening");
const uri = `http://127.0.0.1:${source.address().port}/`;
const pem = pairs.ES256.publicKey.export({ type: "spki", format: "pem" });
console.log("ES256, PEM:", await asked({ key: pem, algorithms: ["ES256"] }, "ES256"));
const named = ({ decoded }) => ({ key: pem, algorithms: ["ES256"], kid: decoded.header.kid });
console.log("ES256, a function:", await asked(named, "ES256"));
for (const names of [["RS256", "ES256"], ["ES256"]]) {
  set = jwks(...names);
  for (const name of names) console.log(`${name}, a set of ${names.join(" and ")}:`, await asked({ uri }, name));
}
source.close();
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
ES256, PEM: 200
ES256, a function: 200
RS256, a set of RS256 and ES256: 200
ES256, a set of RS256 and ES256: 401
ES256, a set of ES256: JWKS endpoint response contained no valid keys
SEEN
