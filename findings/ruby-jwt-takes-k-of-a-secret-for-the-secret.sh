#!/usr/bin/env bash
# An HMAC secret as a JWK (`"kty":"oct"`) in ruby-jwt 2.5.0 (Debian, ruby-jwt 2.5.0-1+deb12u1), beside José 11-2+deb12u1 and
# jose 6.2.17 (npm).
#
# Guessed: `k` is the secret in base64url (RFC 7518 §6.4.1), both ways.
# Seen: ruby-jwt does not decode `k`, and does not encode the secret into it. A token that jose signs with the JWK is refused
# with the same JWK, unless the application puts the decoded secret into `k`. And the JWK that ruby-jwt makes has the
# secret itself as `k`, which others decode to other bytes, or cannot read: only with ruby-jwt at both ends all is well.
# On Debian 12 with Node.js; ruby-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/ruby -rjwt -e '' 2>/dev/null || apt-get install -y -qq --no-install-recommends ruby-jwt=2.5.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq jose=11-2+deb12u1 libjose0=11-2+deb12u1 libjansson4
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
cat >sign.mjs <<'JS'
import { writeFileSync } from "node:fs";
import { importJWK, SignJWT } from "jose";

const jwk = { kty: "oct", kid: "2026", alg: "HS256", k: Buffer.from("0123456789abcdef".repeat(4)).toString("base64url") };
const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "HS256", kid: "2026" })
  .setExpirationTime("1h").sign(await importJWK(jwk));
writeFileSync("jwk.json", JSON.stringify(jwk));
writeFileSync("token", token);
JS
cat >try.rb <<'RUBY'
require "base64"
require "json"
require "jwt"

def verify(token, jwk)
  JWT.decode(token, nil, true, algorithms: ["HS256"], jwks: { keys: [jwk] })[0]["sub"]
rescue JWT::DecodeError => error
  error.message
end

token = File.read("token")
jwk = JSON.parse(File.read("jwk.json"), symbolize_names: true)
secret = Base64.urlsafe_decode64(jwk[:k])
puts "jose's token with the JWK: #{verify(token, jwk)}"
puts "jose's token with the decoded secret as k: #{verify(token, jwk.merge(k: secret))}"
made = JWT::JWK.new(secret, "2026").export(include_private: true)
puts "k of the JWK made from the secret: #{made[:k] == secret ? "the secret" : "its base64url"}"
puts "ruby-jwt's token with it: #{verify(JWT.encode({ sub: "alice" }, secret, "HS256", { kid: "2026" }), made)}"
File.write("made.json", made.to_json)
RUBY
cat >verify.mjs <<'JS'
import { readFileSync } from "node:fs";
import { importJWK, jwtVerify } from "jose";

const key = await importJWK(JSON.parse(readFileSync("made.json", "utf8")), "HS256");
await jwtVerify(readFileSync("token", "utf8"), key).then(
  ({ payload }) => console.log("jose with that JWK:", payload.sub),
  (error) => console.log("jose with that JWK:", error.message),
);
JS
libraries=$(echo unpacked/usr/lib/*-linux-gnu)
jose() { LD_LIBRARY_PATH=$libraries unpacked/usr/bin/jose "$@" 2>/dev/null; }
verify() { jose jws ver -i token -k "$1" && echo accepted || echo refused; }
node sign.mjs
{
  /usr/bin/ruby try.rb
  node verify.mjs
  echo "José with jose's JWK: $(verify jwk.json)"
  echo "José with ruby-jwt's JWK: $(verify made.json)"
} | tee seen
diff seen - <<'SEEN'
jose's token with the JWK: Signature verification failed
jose's token with the decoded secret as k: alice
k of the JWK made from the secret: the secret
ruby-jwt's token with it: alice
jose with that JWK: signature verification failed
José with jose's JWK: accepted
José with ruby-jwt's JWK: refused
SEEN
