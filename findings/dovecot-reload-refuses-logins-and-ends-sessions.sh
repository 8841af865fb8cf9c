#!/usr/bin/env bash
# What `doveadm reload` does to connections: Dovecot 1:2.3.19.1+dfsg1-2.1+deb12u7 (Debian).
#
# Guessed: a reload is graceful. Who is connected notices nothing; new connections get the new configuration.
# Seen: who has connected and not logged in yet is told [UNAVAILABLE], or the connection is closed, with the right
# password too. A session that has logged in is ended within seconds (`* BYE`), unless shutdown_clients = no.
# As root on Debian 12; what is missing of Dovecot is installed, the rest goes to a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
cd "$folder"
chmod 711 .
trap 'doveadm -c "$folder/dovecot.conf" stop 2>/dev/null || true; rm -rf "$folder"' EXIT
hash dovecot doveadm python3 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends dovecot-imapd=1:2.3.19.1+dfsg1-2.1+deb12u7 python3 >/dev/null
install -d -o mail -g mail mail
cat >client.py <<'PY'
import re, socket, subprocess, time

class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", 20143))
        self.lines = self.socket.makefile("rb")
        self.lines.readline()

    def ask(self, text):
        try:
            self.socket.sendall(f"a {text}\r\n".encode())
            for line in self.lines:
                if line.startswith((b"a ", b"* BYE")):
                    return re.match(r"\S+ (OK|NO \[\w+\]|BYE)", line.decode())[1]
        except ConnectionError:
            pass
        return "closed"

session, waiting = Client(), Client()
print("session:", session.ask("LOGIN alice right"))
subprocess.run(["doveadm", "-c", "dovecot.conf", "reload"], check=True)
answer = waiting.ask("LOGIN alice right")
print("connected before, logs in after:", "cut off" if answer != "OK" else answer)
print("connected after:", Client().ask("LOGIN alice right"))
end = time.time() + 15
while (answer := session.ask("NOOP")) == "OK" and time.time() < end:
    time.sleep(0.5)
print("session, within 15 seconds:", "goes on" if answer == "OK" else "ended")
PY
try() {
  cat >dovecot.conf <<CONF
base_dir = $folder/run
state_dir = $folder/state
log_path = $folder/log
protocols = imap
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:$folder/mail/%u
shutdown_clients = $1
first_valid_uid = 1
service imap-login {
  inet_listener imap {
    port = 20143
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = static
  args = password=right
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$folder/mail/%u
}
CONF
  echo "shutdown_clients = $1"
  dovecot -c dovecot.conf
  timeout 60 python3 client.py
  doveadm -c dovecot.conf stop
  sleep 1
}
{ try yes && try no; } | tee seen
diff seen - <<'SEEN'
shutdown_clients = yes
session: OK
connected before, logs in after: cut off
connected after: OK
session, within 15 seconds: ended
shutdown_clients = no
session: OK
connected before, logs in after: cut off
connected after: OK
session, within 15 seconds: goes on
SEEN
