#!/usr/bin/env bash
# The word in front of a token in three programs: InfluxDB 1.6.7 (Debian, influxdb 1.6.7~rc0-1+b13), Flask-JWT-Extended 4.4.4 (Debian) on
# Flask 2.2.2, and express-jwt 8.5.1 (npm).
#
# Guessed: `bearer`, `Bearer` and `BEARER` are one scheme (RFC 9110 §11.1). Many servers answer with `"token_type":"bearer"` (RFC 6749
# §5.1, where the type is without regard to case too), and clients put that in front of the token as it came.
# Seen: express-jwt takes all three. InfluxDB and Flask-JWT-Extended take `Bearer` alone; the others are "unable to parse
# authentication credentials" and "Missing 'Bearer' type". So a client can have logged in for years and be refused
# by the next program with the same token.
# On Debian 12 with Node.js and curl; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $influxd; rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq influxdb=1.6.7~rc0-1+b13 python3-python-flask-jwt-extended=4.4.4-2 \
  python3-flask=2.2.2-3 python3-werkzeug python3-jinja2 python3-markupsafe python3-itsdangerous python3-click
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund express@5.3.0 express-jwt@8.5.1 jsonwebtoken@9.0.3 >/dev/null
export KEY=0123456789abcdef0123456789abcdef
read -r port internal <<<"$(node -e 'const all = [0, 0].map(() => require("node:net").createServer().listen(0, "127.0.0.1"));
  setTimeout(() => { console.log(...all.map((one) => one.address().port)); all.forEach((one) => one.close()); }, 50)')"
cat >influxdb.conf <<CONF
bind-address = "127.0.0.1:$internal"
[meta]
  dir = "$PWD/meta"
[data]
  dir = "$PWD/data"
  wal-dir = "$PWD/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:$port"
  auth-enabled = true
  shared-secret = "$KEY"
CONF
unpacked/usr/bin/influxd -config influxdb.conf 2>/dev/null & influxd=$!
until curl -sf "http://127.0.0.1:$port/ping"; do sleep 0.2; done
curl -s "http://127.0.0.1:$port/query" --data-urlencode "q=CREATE USER alice WITH PASSWORD 'alice' WITH ALL PRIVILEGES" >/dev/null
cat >flask_asks.py <<'PY'
import os, sys
from flask import Flask
from flask_jwt_extended import JWTManager, jwt_required

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["KEY"]
JWTManager(app)

@app.get("/")
@jwt_required()
def hello():
    return {}

answer = app.test_client().get("/", headers={"Authorization": sys.argv[1]})
print(answer.status_code, answer.json.get("msg", ""))
PY
cat >try.mjs <<'JS'
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import express from "express";
import { expressjwt } from "express-jwt";
import jwt from "jsonwebtoken";

const secret = process.env.KEY;
const token = jwt.sign({ sub: "alice", username: "alice" }, secret, { expiresIn: 300 });
const application = express().use(expressjwt({ secret, algorithms: ["HS256"] }), (_request, response) => response.json({}));
const server = application.listen(0, "127.0.0.1");
await once(server, "listening");
async function ask(port, authorization) {
  const answer = await fetch(`http://127.0.0.1:${port}/query?q=SHOW+DATABASES`, { headers: { authorization } });
  const body = await answer.text();
  return `${answer.status} ${/"error":"([^"]*)"/.exec(body)?.[1] ?? ""}`;
}
for (const word of ["Bearer", "bearer", "BEARER"]) {
  const authorization = `${word} ${token}`;
  console.log(`express-jwt, ${word}: ${await ask(server.address().port, authorization)}`.trim());
  console.log(`InfluxDB, ${word}: ${await ask(process.argv[2], authorization)}`.trim());
  const flask = execFileSync("/usr/bin/python3", ["flask_asks.py", authorization], { encoding: "utf8" });
  console.log(`Flask-JWT-Extended, ${word}: ${flask}`.trim());
}
server.close();
server.closeAllConnections();
JS
PYTHONPATH=unpacked/usr/lib/python3/dist-packages node try.mjs "$port" | tee seen
diff seen - <<'SEEN'
express-jwt, Bearer: 200
InfluxDB, Bearer: 200
Flask-JWT-Extended, Bearer: 200
express-jwt, bearer: 200
InfluxDB, bearer: 401 unable to parse authentication credentials
Flask-JWT-Extended, bearer: 401 Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'
express-jwt, BEARER: 200
InfluxDB, BEARER: 401 unable to parse authentication credentials
Flask-JWT-Extended, BEARER: 401 Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'
SEEN
