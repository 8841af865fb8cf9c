#!/usr/bin/env bash
# `jose jws sig` of José 11 (Debian, jose 11-2+deb12u1) with a JWK that has a `kid`, and verifiers of a set with two keys: jose 6.2.17
# and jsonwebtoken 9.0.3 with jwks-rsa 4.1.0 (npm).
#
# Guessed: the token has the key's `kid` in its header, as it has the key's `alg`.
# Seen: `alg` alone. While the set has one key the token is accepted. From a rotation on, as long as the grace period lasts,
# jose and jwks-rsa refuse it, since they cannot tell which key it is. The `kid` has to be given again, with
# `-s '{"protected":{"kid":"…"}}'`.
# On Debian 12; what is missing of Debian's packages is installed, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
command -v jose >/dev/null || apt-get install -y -qq --no-install-recommends jose=11-2+deb12u1 >/dev/null
npm install --silent --no-audit --no-fund jose@6.2.17 jsonwebtoken@9.0.3 jwks-rsa@4.1.0 >/dev/null
for kid in old new; do
  jose jwk gen -i "{\"alg\":\"RS256\",\"kid\":\"$kid\"}" -o "$kid.jwk"
  jose jwk pub -i "$kid.jwk" -o "$kid.pub.jwk"
done
echo -n '{"sub":"alice"}' >claims
jose jws sig -I claims -k old.jwk -c -o token
jose jws sig -I claims -k old.jwk -s '{"protected":{"kid":"old"}}' -c -o token.kid
cat >try.mjs <<'JS'
import { readFileSync } from "node:fs";
import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";
import jwksRsa from "jwks-rsa";

const key = (kid) => JSON.parse(readFileSync(`${kid}.pub.jwk`, "utf8"));
const sets = { "one key": { keys: [key("old")] }, "two keys": { keys: [key("new"), key("old")] } };
const verifiers = {
  "jose": (token, set) => jose.jwtVerify(token, jose.createLocalJWKSet(set)),
  "jwks-rsa": async (token, set) => {
    const client = jwksRsa({ jwksUri: "https://issuer.example/jwks", fetcher: async () => set });
    const { kid } = jose.decodeProtectedHeader(token);
    return jsonwebtoken.verify(token, (await client.getSigningKey(kid)).getPublicKey());
  },
};
for (const file of ["token", "token.kid"]) {
  const token = readFileSync(file, "utf8");
  console.log(JSON.stringify(jose.decodeProtectedHeader(token)));
  for (const [name, verify] of Object.entries(verifiers)) {
    for (const [size, set] of Object.entries(sets)) {
      console.log(`${name}, ${size}: ${await verify(token, set).then(() => "accepted", (error) => error.message)}`);
    }
  }
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
{"alg":"RS256"}
jose, one key: accepted
jose, two keys: multiple matching keys found in the JSON Web Key Set
jwks-rsa, one key: accepted
jwks-rsa, two keys: No KID specified and JWKS endpoint returned more than 1 key
{"alg":"RS256","kid":"old"}
jose, one key: accepted
jose, two keys: accepted
jwks-rsa, one key: accepted
jwks-rsa, two keys: accepted
SEEN
