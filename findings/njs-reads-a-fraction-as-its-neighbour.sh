#!/usr/bin/env bash
# JavaScript in nginx (njs 0.7.9, Debian's libnginx-mod-http-js 0.7.9-2) with claims that have a fraction, beside Node.js.
#
# Guessed: njs is ECMAScript, whose numbers are read as the nearest double and written with as few digits as tell it from the
# others, so JSON.parse and JSON.stringify give the number that was there.
# Seen: which double a fraction becomes may be a neighbour of the nearest one. A token's claims that njs passes on in JSON have
# other digits then, such as an iat of Python's time.time(), and a comparison with the number from elsewhere fails. Whole numbers up
# to 2^53 and times in milliseconds are right.
# On Debian 12 with Node.js; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap '[ ! -s pid ] || kill "$(cat pid)"; while [ -e pid ]; do sleep 0.05; done; rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq nginx libnginx-mod-http-js=0.7.9-2 libxml2 libicu72
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >numbers.js <<'JS'
const TEXTS = ["9007199254740991", "1796130514.123", "0.1", "0.30000000000000004", "1796130514.1234567", "52.52000659999999"];
const lines = () => TEXTS.map((text) => text + " " + JSON.stringify(JSON.parse(text))).join("\n") + "\n";
JS
{ cat numbers.js; echo 'export default { answer: (request) => request.return(200, lines()) };'; } >answer.js
{ cat numbers.js; echo 'process.stdout.write(lines());'; } >node.js
module=$(echo "$PWD"/unpacked/usr/lib/nginx/modules/ngx_http_js_module.so)
cat >nginx.conf <<CONF
load_module $module;
pid pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  js_import answers from answer.js;
  server { listen unix:$PWD/socket; location / { js_content answers.answer; } }
}
CONF
LD_LIBRARY_PATH=$(echo unpacked/usr/lib/*-linux-gnu) unpacked/usr/sbin/nginx -p "$PWD/" -c nginx.conf
cat >ask.mjs <<'JS'
import { get } from "node:http";
get({ socketPath: "socket", path: "/" }, (response) => response.pipe(process.stdout));
JS
{ echo "Node.js"; node node.js; echo "njs"; node ask.mjs; } | tee seen
diff seen - <<'SEEN'
Node.js
9007199254740991 9007199254740991
1796130514.123 1796130514.123
0.1 0.1
0.30000000000000004 0.30000000000000004
1796130514.1234567 1796130514.1234567
52.52000659999999 52.52000659999999
njs
9007199254740991 9007199254740991
1796130514.123 1796130514.123
0.1 0.1
0.30000000000000004 0.30000000000000007
1796130514.1234567 1796130514.1234568
52.52000659999999 52.52000659999999
SEEN
