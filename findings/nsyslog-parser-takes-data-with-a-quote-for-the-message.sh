#!/usr/bin/env bash
# nsyslog-parser 0.10.1 (npm) reads the structured data of RFC 5424.
#
# Guessed: `\"`, `\\` and `\]` in a value are what §6.3.3 says, and an element may have no parameter (§6).
# Seen: one value with a quote in it, and there are no structured data: all of them are the beginning of the message, and
# the result has the same `type` as any other. So they are for an element without parameters. A `\]` or `\\` is read,
# and keeps its backslash. Whoever looks for an event by its data does not find those in which someone quoted a word.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund nsyslog-parser@0.10.1 >/dev/null
cat >read.cjs <<'JS'
const parse = require("nsyslog-parser");

const values = ['[sd@32473 why="a word"]', '[sd@32473 why="\\"a word\\""]', '[sd@32473 why="a\\]b"]', "[sd@32473]"];
for (const data of values) {
  const { structuredData, message, type } = parse(`<85>1 2026-11-30T06:00:00Z host app 1 id ${data} hello`);
  console.log(`${data}: ${type} ${JSON.stringify(structuredData)} ${JSON.stringify(message)}`);
}
JS
node read.cjs | tee seen
diff seen - <<'SEEN'
[sd@32473 why="a word"]: RFC5424 [{"$id":"sd@32473","why":"a word"}] "hello"
[sd@32473 why="\"a word\""]: RFC5424 [] "[sd@32473 why=\"\\\"a word\\\"\"] hello"
[sd@32473 why="a\]b"]: RFC5424 [{"$id":"sd@32473","why":"a\\]b"}] "hello"
[sd@32473]: RFC5424 [] "[sd@32473] hello"
SEEN
