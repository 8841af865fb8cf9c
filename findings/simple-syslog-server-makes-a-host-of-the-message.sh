#!/usr/bin/env bash
# simple-syslog-server 1.0.0 (npm) over TCP, with messages of RFC 5424 that have their length before them (RFC 6587 §3.4.1).
#
# Guessed: a server that takes frames with a length takes the messages that are sent so: host, time and message are what the
# line says, and the structured data are somewhere.
# Seen: the frames are read, the messages are not. Where the text has a word before a colon, that is the `tag`, the word before
# it is the `hostname`, `msg` is what follows, and `timestamp` is the first of January; host, time, MSGID and structured data
# are gone. All others come as "invalid", whole. So "Secret rotated: version 2" is of a host "Secret", and whoever counts
# by host counts those.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund simple-syslog-server@1.0.0 >/dev/null
cat >try.cjs <<'JS'
const { connect } = require("node:net");
const { TCP } = require("simple-syslog-server");

const start = "<85>1 2026-11-30T06:00:00.123Z host1 app 4711";
const messages = [
  `${start} rotated [sd@32473 seq="7"] Secret rotated: version 2`,
  `${start} added [sd@32473 seq="8"] User added: alice`,
  `${start} rotated [sd@32473 seq="9"] Secret rotated`,
  "<85>Nov 30 06:00:00 host1 app[4711]: Secret rotated: version 2",
];
const server = TCP();
let seen = 0;
function show(event, { hostname, tag, timestamp, msg }) {
  const read = hostname ? `host ${hostname}, tag ${tag}, day ${timestamp.toISOString().slice(5, 10)}, ` : "";
  console.log(`${event}: ${read}${msg}`);
  if (++seen === messages.length) process.exit();
}
server.on("msg", (message) => show("msg", message));
server.on("invalid", (message) => show("invalid", message));
server.listen({ host: "127.0.0.1", port: 0 }).then(() => {
  const { port } = server.server.address();
  connect(port, "127.0.0.1").end(messages.map((message) => `${Buffer.byteLength(message)} ${message}`).join(""));
});
JS
TZ=UTC node try.cjs | tee seen
diff seen - <<'SEEN'
msg: host Secret, tag rotated, day 01-01, version 2
msg: host User, tag added, day 01-01, alice
invalid: <85>1 2026-11-30T06:00:00.123Z host1 app 4711 rotated [sd@32473 seq="9"] Secret rotated
msg: host host1, tag app[4711], day 11-30, Secret rotated: version 2
SEEN
