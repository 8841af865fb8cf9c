#!/usr/bin/env bash
# Crypt::JWT 0.034 (Debian, libcrypt-jwt-perl 0.034-1) with `verify_aud`, beside PyJWT 2.6.0 (Debian) and jose 6.2.17 (npm).
#
# Guessed: an `aud` that is an array holds when one of its members is the one that is asked for (RFC 7519 §4.1.3); that is
# what `verify_aud` does.
# Seen: it compares the text that Perl has for an array, `ARRAY(0x…)`: a string or pattern never fits, ["api"] of a single
# member included. An issuer that writes all audiences as a list, or adds a second one, is refused by name. A list of
# accepted ones as `verify_aud` is an error, and a function, which gets the array, can look into it.
# On Debian 12; what is missing of Debian's packages is installed, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/perl -MCrypt::JWT -e '' 2>/dev/null && /usr/bin/python3 -c 'import jwt' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends libcrypt-jwt-perl=0.034-1 python3-jwt=2.6.0-1+deb12u1 >/dev/null
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
cat >sign.mjs <<'JS'
import { writeFileSync } from "node:fs";
import { jwtVerify, SignJWT } from "jose";

const key = Buffer.from("0123456789abcdef".repeat(4));
const tokens = {};
for (const aud of ["api", ["api"], ["web", "api"]]) {
  const name = JSON.stringify(aud);
  tokens[name] = await new SignJWT({ sub: "alice", aud }).setProtectedHeader({ alg: "HS256" }).sign(key);
  await jwtVerify(tokens[name], key, { audience: "api" });
  console.log(`jose, aud ${name}: accepted`);
}
writeFileSync("tokens.json", JSON.stringify(tokens));
JS
cat >try.py <<'PY'
import json, jwt
for name, token in json.load(open("tokens.json")).items():
    jwt.decode(token, "0123456789abcdef" * 4, algorithms=["HS256"], audience="api")
    print(f"PyJWT, aud {name}: accepted")
PY
cat >try.pl <<'PERL'
use strict;
use warnings;
use Crypt::JWT;
use JSON::PP;
open my $file, "<", "tokens.json" or die;
my $tokens = decode_json(join "", <$file>);
my @ways = (
  ["'api'", "api"], ["qr/api/", qr/api/], ["['api']", ["api"]],
  ["a function", sub { my ($aud) = @_; grep { $_ eq "api" } ref $aud ? @$aud : $aud }],
);
for my $name ('"api"', '["api"]', '["web","api"]') {
  for my $way (@ways) {
    my ($text, $wanted) = @$way;
    my $done = eval { Crypt::JWT::decode_jwt(token => $tokens->{$name}, key => "0123456789abcdef" x 4, verify_aud => $wanted) };
    my $answer = $done ? "accepted" : $@ =~ s/ at .*//sr;
    print "Crypt::JWT, aud $name, verify_aud $text: $answer\n";
  }
}
PERL
{
  node sign.mjs
  /usr/bin/python3 try.py
  /usr/bin/perl try.pl
} | tee seen
diff seen - <<'SEEN'
jose, aud "api": accepted
jose, aud ["api"]: accepted
jose, aud ["web","api"]: accepted
PyJWT, aud "api": accepted
PyJWT, aud ["api"]: accepted
PyJWT, aud ["web","api"]: accepted
Crypt::JWT, aud "api", verify_aud 'api': accepted
Crypt::JWT, aud "api", verify_aud qr/api/: accepted
Crypt::JWT, aud "api", verify_aud ['api']: JWT: verify_aud must be Regexp, Scalar or CODE
Crypt::JWT, aud "api", verify_aud a function: accepted
Crypt::JWT, aud ["api"], verify_aud 'api': JWT: aud claim scalar check failed
Crypt::JWT, aud ["api"], verify_aud qr/api/: JWT: aud claim re check failed
Crypt::JWT, aud ["api"], verify_aud ['api']: JWT: verify_aud must be Regexp, Scalar or CODE
Crypt::JWT, aud ["api"], verify_aud a function: accepted
Crypt::JWT, aud ["web","api"], verify_aud 'api': JWT: aud claim scalar check failed
Crypt::JWT, aud ["web","api"], verify_aud qr/api/: JWT: aud claim re check failed
Crypt::JWT, aud ["web","api"], verify_aud ['api']: JWT: verify_aud must be Regexp, Scalar or CODE
Crypt::JWT, aud ["web","api"], verify_aud a function: accepted
SEEN
