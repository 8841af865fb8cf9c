#!/usr/bin/env bash
# faketime 0.9.10-2.1 (Debian) as a rehearsal of the day after: a token that is good for an hour, read a day later by Node.js with jose
# 6.2.17 (npm), by Python with PyJWT 2.6.0, by Perl with Mojo::JWT 0.09 and by the command `jwt` 4.4.3 (Debian).
#
# Guessed: `jwt` is linked with the C library, `ldd` shows it, so libfaketime moves its clock as it moves that of the others.
# Seen: the others say that the token has expired, and `jwt -verify` accepts it and exits with 0: a program in Go asks the kernel for
# the time and not the C library. There is no warning, and `faketime date` shows the day after. So for InfluxDB, etcd, Docker's
# registry, Caddy and other programs in Go such a rehearsal shows nothing; make a token that has expired instead.
# On Debian 12; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq faketime=0.9.10-2.1 libfaketime=0.9.10-2.1 jwt=4.4.3-1+b4 \
  libmojo-jwt-perl=0.09-1 libmojolicious-perl
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
printf %s 0123456789abcdef0123456789abcdef >key
cat >make.mjs <<'JS'
import { readFileSync } from "node:fs";
import { SignJWT } from "jose";

const header = { alg: "HS256", typ: "JWT" };
process.stdout.write(await new SignJWT({ sub: "alice" }).setProtectedHeader(header).setExpirationTime("1h").sign(readFileSync("key")));
JS
cat >read.mjs <<'JS'
import { readFileSync } from "node:fs";
import { jwtVerify } from "jose";

await jwtVerify(readFileSync("token", "utf8"), readFileSync("key"));
JS
cat >read.py <<'PY'
import jwt
jwt.decode(open("token").read(), open("key").read(), algorithms=["HS256"])
PY
cat >read.pl <<'PL'
use Mojo::JWT;
use Mojo::File qw(path);
Mojo::JWT->new(secret => path("key")->slurp)->decode(path("token")->slurp);
PL
node make.mjs >token
export PERL5LIB=$PWD/unpacked/usr/share/perl5
library=$(echo unpacked/usr/lib/*-linux-gnu/faketime/libfaketime.so.1)
accepts() {
  local name=$1
  shift
  "$@" >/dev/null 2>&1 && now=accepted || now=refused
  LD_PRELOAD=$library FAKETIME=+1d "$@" >/dev/null 2>&1 && later=accepted || later=refused
  echo "$name: $now, a day later $later"
}
{
  accepts Node.js node read.mjs
  accepts Python /usr/bin/python3 read.py
  accepts Perl /usr/bin/perl read.pl
  accepts jwt unpacked/usr/bin/jwt -alg HS256 -key key -verify token
  ldd unpacked/usr/bin/jwt | grep -o 'libc\.so\.6' | head -n 1
} | tee seen
diff seen - <<'SEEN'
Node.js: accepted, a day later refused
Python: accepted, a day later refused
Perl: accepted, a day later refused
jwt: accepted, a day later accepted
libc.so.6
SEEN
