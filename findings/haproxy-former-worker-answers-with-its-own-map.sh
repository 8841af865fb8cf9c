#!/usr/bin/env bash
# haproxy 2.6.12-1+deb12u4 (Debian) with a master and a worker: a map is changed over the stats socket after a reload.
#
# Guessed: once `commit map` has answered, every later answer is made with the new map: idle connections of the former
# worker are closed by the reload.
# Seen: that is so for connections that have had an answer. One that was accepted before the reload and has sent nothing, or
# half a request, is answered by the former worker, with the map that it had: the stats socket reaches the new worker only.
# `timeout http-request` and `hard-stop-after` bound for how long.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $proxy; cd / && rm -rf "$OLDPWD"' EXIT
hash haproxy python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends haproxy=2.6.12-1+deb12u4 python3 >/dev/null
echo "/ old" >map
cat >haproxy.cfg <<CFG
global
  stats socket $PWD/admin.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout client 30s
frontend f
  bind unix@$PWD/http.sock
  http-request return status 200 content-type text/plain lf-string "%[path,map_str($PWD/map)]"
CFG
haproxy -W -f haproxy.cfg -S "$PWD/master.sock" 2>/dev/null & proxy=$!
until [ -S http.sock ] && [ -S master.sock ]; do sleep 0.1; done
cat >try.py <<'PY'
import socket, sys, time

def connected(path):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(10)
    line.connect(path)
    return line

def ask(line, text):
    try:
        line.sendall(text)
        return line.recv(4096).rsplit(b"\r\n", 1)[-1].decode() or "closed"
    except OSError:
        return "closed"

def say(path, text):
    line = connected(path)
    line.sendall(text.encode() + b"\n")
    return b"".join(iter(lambda: line.recv(4096), b"")).decode()

whole = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
idle, half, silent = (connected("http.sock") for _ in range(3))
print("before:", ask(idle, whole))
half.sendall(whole[:16])
time.sleep(0.3)
say("master.sock", "reload")
time.sleep(1.5)
file = sys.argv[1]
version = say("admin.sock", f"prepare map {file}").split(":")[1].strip()
say("admin.sock", f"add map @{version} {file} / new")
say("admin.sock", f"commit map @{version} {file}")
print("a new connection:", ask(connected("http.sock"), whole))
print("one that had an answer:", ask(idle, whole))
print("one with half a request:", ask(half, whole[16:]))
print("one that had sent nothing:", ask(silent, whole))
PY
python3 try.py "$PWD/map" | tee seen
diff seen - <<'SEEN'
before: old
a new connection: new
one that had an answer: closed
one with half a request: old
one that had sent nothing: old
SEEN
