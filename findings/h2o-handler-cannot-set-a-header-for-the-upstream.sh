#!/usr/bin/env bash
# h2o 2.2.5 (Debian, h2o 2.2.5+dfsg2-7) with an mruby handler that asks another server about each request, and then gives it on
# with status 399 to `proxy.reverse.url`.
#
# Guessed: what the handler writes into its `env` is what the next handler has, as with Rack's middleware: `HTTP_X_AUTH_SUBJECT`
# is the header that the application gets, in place of the client's.
# Seen: the application gets the request as the client sent it: no header from the handler, and the client's own
# `X-Auth-Subject` where it sent one. A handler that makes the request to the application by itself (`http_request`) decides
# about each header.
# On Debian 12; curl and python3 are installed if they are missing, h2o goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $servers; cd / && rm -rf "$OLDPWD"' EXIT
servers=
hash curl python3 2>/dev/null || apt-get install -y -qq --no-install-recommends curl python3 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq h2o=2.2.5+dfsg2-7 libyaml-0-2
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >application.py <<'PY'
import http.server

class Application(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/auth":
            self.send_response(204)
            self.send_header("X-Auth-Subject", "alice")
            self.end_headers()
        else:
            body = f"{self.headers.get_all('X-Auth-Subject')}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
open("port", "w").write(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
PY
python3 application.py & servers+=" $!"
until [ -s port ]; do sleep 0.1; done
url=$(cat port)
cat >handler.rb <<RUBY
lambda do |env|
  status, headers = http_request("$url/auth", headers: { "authorization" => env["HTTP_AUTHORIZATION"].to_s }).join
  return [401, {}, []] if status != 204
  if env["PATH_INFO"] == "/itself"
    return http_request("$url/", headers: { "x-auth-subject" => headers["x-auth-subject"] }).join
  end
  env["HTTP_X_AUTH_SUBJECT"] = headers["x-auth-subject"]
  [399, { "x-auth-subject" => headers["x-auth-subject"] }, []]
end
RUBY
cat >h2o.conf <<CONF
listen: { port: "$PWD/socket", type: unix }
user: $(id -un)
num-threads: 1
hosts:
  default:
    paths:
      /:
        mruby.handler-file: $PWD/handler.rb
        proxy.reverse.url: $url/
CONF
H2O_ROOT=$PWD/unpacked/usr LD_LIBRARY_PATH=$(echo unpacked/usr/lib/*-linux-gnu) unpacked/usr/bin/h2o -c h2o.conf >log 2>&1 & servers+=" $!"
for _ in {1..200}; do [ -S socket ] && break; sleep 0.1; done
ask() {
  echo "$1: $(curl -s --max-time 20 --unix-socket socket "${@:3}" -H 'Authorization: Bearer good' "http://app.example$2")"
}
{
  ask "given on" /
  ask "given on, the client sends one" / -H "X-Auth-Subject: mallory"
  ask "asked by the handler" /itself
  ask "asked by the handler, the client sends one" /itself -H "X-Auth-Subject: mallory"
} | tee seen
diff seen - <<'SEEN'
given on: None
given on, the client sends one: ['mallory']
asked by the handler: ['alice']
asked by the handler, the client sends one: ['alice']
SEEN
