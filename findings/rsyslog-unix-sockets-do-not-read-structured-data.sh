#!/usr/bin/env bash
# rsyslog 8.2302.0-1+deb12u2 (Debian): messages of RFC 5424 on a Unix socket of datagrams, such as /dev/log.
#
# Guessed: rsyslogd reads the form that its own remote inputs read: name of the program, structured data, message.
# Seen: imuxsock has a parser of its own, for which the program is called "1" and all that follows is the message. Only
# with UseSpecialParser="off" are the structured data a property.
# As root on Debian 12; the packages are installed if they are missing.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $daemon; cd / && rm -rf "$OLDPWD"' EXIT
hash rsyslogd python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends rsyslog=8.2302.0-1+deb12u2 python3 >/dev/null
cat >rsyslog.conf <<CFG
global(workDirectory="$PWD")
main_queue(queue.type="Direct")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$PWD/usual")
input(type="imuxsock" Socket="$PWD/plain" UseSpecialParser="off")
template(name="t" type="string" string="program %app-name%, data %structured-data%\n")
action(type="omfile" file="$PWD/received" template="t")
CFG
rsyslogd -n -f rsyslog.conf -i pid & daemon=$!
until [ -S usual ] && [ -S plain ]; do sleep 0.1; done
python3 - <<'PY'
import os, socket, time
for count, name in enumerate(("usual", "plain"), 1):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(name)
    sender.send(b'<85>1 2026-11-30T06:00:00.123Z host app - id [sd@32473 seq="7"] hello')
    while not os.path.exists("received") or open("received").read().count("\n") < count:
        time.sleep(0.05)
PY
diff received - <<'SEEN'
program 1, data -
program app, data [sd@32473 seq="7"]
SEEN
cat received
