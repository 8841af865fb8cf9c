#!/usr/bin/env bash
# A JWK Set with an RSA and an EC key of one `kid`, in aws-jwt-verify 5.2.1, jwks-rsa 4.1.0, hono 4.13.19, node-jose 2.2.0 and
# jose 6.2.17 (npm), and in PyJWT 2.6.0, ruby-jwt 2.5.0 and Crypt::JWT 0.034 (Debian).
#
# Guessed: that is a set as RFC 7517 §4.5 has it: keys of different `kty` that "are considered to be equivalent
# alternatives" may share a `kid`. Of the two a token's `alg` tells which, so both kinds of tokens are verified.
# Seen: jose and node-jose do that. All others take the first key that has the `kid`, find that it does not fit, and
# refuse. What they verify depends on the order in the set. A new type of key needs a `kid` of its own.
# On Debian 12; what is missing of Debian's packages is installed, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt' 2>/dev/null && /usr/bin/ruby -rjwt -e '' 2>/dev/null && /usr/bin/perl -MCrypt::JWT -e '' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 \
    ruby-jwt=2.5.0-1+deb12u1 libcrypt-jwt-perl=0.034-1 >/dev/null
npm install --silent --no-audit --no-fund jose@6.2.17 jwks-rsa@4.1.0 jsonwebtoken@9.0.3 aws-jwt-verify@5.2.1 \
  node-jose@2.2.0 hono@4.13.19 >/dev/null
cat >try.mjs <<'JS'
import { writeFileSync } from "node:fs";
import { JwtVerifier } from "aws-jwt-verify";
import { verifyWithJwks } from "hono/jwt";
import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";
import jwksRsa from "jwks-rsa";
import nodeJose from "node-jose";

const issuer = "https://issuer.example";
const jwksUri = `${issuer}/jwks`;
const keys = [];
const tokens = {};
for (const alg of ["RS256", "ES256"]) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg);
  keys.push({ ...(await jose.exportJWK(publicKey)), kid: "2026", alg, use: "sig" });
  tokens[alg] = await new jose.SignJWT({ sub: "alice", iss: issuer, aud: "api" })
    .setProtectedHeader({ alg, kid: "2026" }).setExpirationTime("1h").sign(privateKey);
}
const sets = { "RSA first": { keys }, "EC first": { keys: keys.toReversed() } };
writeFileSync("made.json", JSON.stringify({ sets, tokens }));

const verifiers = {
  "jose": (token, set) => jose.jwtVerify(token, jose.createLocalJWKSet(set)),
  "node-jose": async (token, set) => nodeJose.JWS.createVerify(await nodeJose.JWK.asKeyStore(set)).verify(token),
  "jwks-rsa": async (token, set) => {
    const client = jwksRsa({ jwksUri, fetcher: async () => set });
    return jsonwebtoken.verify(token, (await client.getSigningKey("2026")).getPublicKey());
  },
  "aws-jwt-verify": async (token, set) => {
    const verifier = JwtVerifier.create({ issuer, audience: "api", jwksUri });
    verifier.cacheJwks(set);
    return verifier.verifySync(token);
  },
  "hono": (token, { keys }) => verifyWithJwks(token, { keys, allowedAlgorithms: ["RS256", "ES256"] }),
};
for (const [name, verify] of Object.entries(verifiers)) {
  const accepted = [];
  for (const [order, set] of Object.entries(sets)) {
    for (const [alg, token] of Object.entries(tokens)) {
      await verify(token, set).then(() => accepted.push(alg), () => {});
    }
    console.log(`${name}, ${order}: ${accepted.splice(0).join(" ") || "none"}`);
  }
}
JS
cat >try.py <<'PY'
import json, jwt

made = json.load(open("made.json"))

for order, keys in made["sets"].items():
    accepted = []
    for alg, token in made["tokens"].items():
        client = jwt.PyJWKClient("https://issuer.example/jwks")
        client.fetch_data = lambda: keys
        try:
            jwt.decode(token, client.get_signing_key_from_jwt(token).key, algorithms=[alg], audience="api")
            accepted.append(alg)
        except Exception:
            pass
    print(f"PyJWT, {order}: {' '.join(accepted) or 'none'}")
PY
cat >try.rb <<'RUBY'
require "json"
require "jwt"

made = JSON.parse(File.read("made.json"))
made["sets"].each do |order, set|
  accepted = made["tokens"].filter_map do |alg, token|
    JWT.decode(token, nil, true, algorithms: %w[RS256 ES256], jwks: JSON.parse(set.to_json, symbolize_names: true)) && alg
  rescue StandardError
    nil
  end
  puts "ruby-jwt, #{order}: #{accepted.empty? ? "none" : accepted.join(" ")}"
end
RUBY
cat >try.pl <<'PERL'
use strict;
use warnings;
use Crypt::JWT;
use JSON::PP;
open my $file, "<", "made.json" or die;
my $made = decode_json(join "", <$file>);
for my $order ("RSA first", "EC first") {
  my $keys = $made->{sets}{$order};
  my @accepted = grep {
    my $token = $made->{tokens}{$_};
    eval { Crypt::JWT::decode_jwt(token => $token, kid_keys => $keys) };
  } "RS256", "ES256";
  print "Crypt::JWT, $order: ", "@accepted" || "none", "\n";
}
PERL
{
  node try.mjs
  /usr/bin/python3 try.py
  /usr/bin/ruby try.rb
  /usr/bin/perl try.pl
} | tee seen
diff seen - <<'SEEN'
jose, RSA first: RS256 ES256
jose, EC first: RS256 ES256
node-jose, RSA first: RS256 ES256
node-jose, EC first: RS256 ES256
jwks-rsa, RSA first: RS256
jwks-rsa, EC first: ES256
aws-jwt-verify, RSA first: RS256
aws-jwt-verify, EC first: ES256
hono, RSA first: RS256
hono, EC first: ES256
PyJWT, RSA first: RS256
PyJWT, EC first: ES256
ruby-jwt, RSA first: RS256
ruby-jwt, EC first: ES256
Crypt::JWT, RSA first: RS256
Crypt::JWT, EC first: ES256
SEEN
