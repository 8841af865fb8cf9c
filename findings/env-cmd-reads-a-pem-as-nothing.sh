#!/usr/bin/env bash
# A file of variables with a PEM in double quotes, on lines of its own, and a JWK in single quotes, in env-cmd 11.0.0, envfile
# 7.1.0 and node-env-file 0.1.8 (npm), and in ruby-dotenv 2.4.0-2, ruby-foreman 0.87.2-2 and django-environ 0.4.4-5 (Debian);
# beside dotenv 18.0.10 (npm) and python3-dotenv 0.21.0-1 (Debian).
#
# Guessed: all of them read both, as a shell does.
# Seen: the last two do. env-cmd sets the PEM's variable to nothing, the others to its first line, most with the quote before
# it. The variables after it are right, and there is no error. The JWK is read, but for envfile, which takes the quotes out of
# it. So a JWK on one line is what more programs can read.
# On Debian 12; what is missing of Debian's packages is installed, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import dotenv, environ' 2>/dev/null && /usr/bin/ruby -rdotenv -rforeman/env -e '' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-dotenv=0.21.0-1 python3-django-environ=0.4.4-5 ruby-dotenv=2.4.0-2 \
    ruby-foreman=0.87.2-2 >/dev/null
npm install --silent --no-audit --no-fund env-cmd@11.0.0 envfile@7.1.0 node-env-file@0.1.8 dotenv@18.0.10 >/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pem
echo -n '{"kty":"oct","kid":"1","alg":"HS256","k":"c2VjcmV0"}' >jwk
printf 'PEM="%s\n"\nJWK='\''%s'\''\nLAST=3\n' "$(cat pem)" "$(cat jwk)" >.env
cat >show.mjs <<'JS'
import { readFileSync } from "node:fs";

const { PEM = "none", JWK, LAST } = process.env;
const right = (value, file) => value === readFileSync(file, "utf8") ? "read" : JSON.stringify(value);
console.log(`${process.argv[2]}: PEM ${right(PEM, "pem")}, JWK ${right(JWK, "jwk")}, last ${LAST}`);
JS
cat >try.cjs <<'JS'
const { spawnSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
const text = readFileSync(".env", "utf8");
const show = (name, env) => spawnSync(process.execPath, ["show.mjs", name], { env, stdio: "inherit" });
show("dotenv", require("dotenv").parse(text));
show("envfile", require("envfile").parse(text));
require("node-env-file")(".env");
const { PEM, JWK, LAST } = process.env;
show("node-env-file", { PEM, JWK, LAST });
JS
cat >try.py <<'PY'
import os, subprocess
import dotenv, environ

def show(name, env):
    subprocess.run(["node", "show.mjs", name], env={key: env[key] for key in ("PATH", "PEM", "JWK", "LAST")})

show("python3-dotenv", {**os.environ, **dotenv.dotenv_values(".env")})
environ.Env.read_env(".env")
show("django-environ", os.environ)
PY
cat >try.rb <<'RUBY'
require "dotenv"
require "foreman/env"

system(Dotenv::Environment.new(".env", true).to_h, "node", "show.mjs", "ruby-dotenv")
read = {}
Foreman::Env.new(".env").entries { |name, value| read[name] = value }
system(read, "node", "show.mjs", "ruby-foreman")
RUBY
{
  node try.cjs
  /usr/bin/python3 try.py
  /usr/bin/ruby try.rb
  node_modules/.bin/env-cmd node show.mjs env-cmd
} | tee seen
diff seen - <<'SEEN'
dotenv: PEM read, JWK read, last 3
envfile: PEM "-----BEGIN PRIVATE KEY-----", JWK "{kty:oct,kid:1,alg:HS256,k:c2VjcmV0}", last 3
node-env-file: PEM "\"-----BEGIN PRIVATE KEY-----", JWK read, last 3
python3-dotenv: PEM read, JWK read, last 3
django-environ: PEM "\"-----BEGIN PRIVATE KEY-----", JWK read, last 3
ruby-dotenv: PEM "\"-----BEGIN PRIVATE KEY-----", JWK read, last 3
ruby-foreman: PEM "\"-----BEGIN PRIVATE KEY-----", JWK read, last 3
env-cmd: PEM "", JWK read, last 3
SEEN
