#!/usr/bin/env bash
# syslog-ng 3.38.1 (Debian, syslog-ng-core 3.38.1-5+deb12u1) takes messages of RFC 5424 and sends them on in the same form.
#
# Guessed: a relay sends on the structured data that it has received.
# Seen: what is before a dot in a parameter's name goes to the SD-ID: `[sd@32473 net.ip="1"]` leaves as
# `[sd@32473.net ip="1"]`, an element that the sender never wrote. Of a parameter that comes twice, as RFC 5424 §6.3.3
# allows (§7.2.1 does so with `ip` of `origin`), the last one leaves. So a name with a dot, or a repeated one, does not get
# through syslog-ng.
# As root on Debian 12 with Python; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $daemon 2>/dev/null; rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq syslog-ng-core=3.38.1-5+deb12u1 libivykis0 libnet1
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >syslog-ng.conf <<CFG
@version: 3.38
options { time-reopen(1); };
source s { unix-dgram("$PWD/in" flags(syslog-protocol)); };
destination d { unix-dgram("$PWD/out" template("<\$PRI>1 \$ISODATE \$HOST \$PROGRAM \$PID \$MSGID \$SDATA \$MSG")); };
log { source(s); destination(d); };
CFG
cat >send.py <<'PY'
import os, socket, time
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("out")
receiver.settimeout(20)
while not os.path.exists("in"):
    time.sleep(0.1)
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect("in")
for data in '[sd@32473 ip="1"]', '[sd@32473 net.ip="1"]', '[origin ip="1" ip="2"]':
    sender.send(f"<85>1 2026-11-30T06:00:00Z host app 1 id {data} hello".encode())
    print(data, "leaves as", receiver.recv(4096).decode().split(" id ")[1])
PY
LD_LIBRARY_PATH=$PWD/unpacked/usr/lib/syslog-ng:$(echo "$PWD"/unpacked/usr/lib/*-linux-gnu) unpacked/usr/sbin/syslog-ng --foreground \
  --no-caps --cfgfile syslog-ng.conf --module-path "$PWD/unpacked/usr/lib/syslog-ng/3.38" --persist-file "$PWD/persist" \
  --pidfile "$PWD/pid" --control "$PWD/control" 2>errors & daemon=$!
timeout 60 python3 send.py | tee seen
diff seen - <<'SEEN'
[sd@32473 ip="1"] leaves as [sd@32473 ip="1"][meta sequenceId="1"] hello
[sd@32473 net.ip="1"] leaves as [sd@32473.net ip="1"][meta sequenceId="2"] hello
[origin ip="1" ip="2"] leaves as [origin ip="2"][meta sequenceId="3"] hello
SEEN
