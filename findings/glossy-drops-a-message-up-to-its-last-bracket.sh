#!/usr/bin/env bash
# glossy 0.1.7 (npm) reads messages of RFC 5424 that have structured data and a `]` in the message.
#
# Guessed: the structured data end at the first `]` that is in no value and not escaped (§6.3), the message is all that
# follows.
# Seen: the structured data are read right, escapes too, and the message begins after its own last `]`: what was before
# is in no member of the result, and of one that ends in `]`, such as a list in JSON, nothing is left. Without structured
# data the same message is whole.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund glossy@0.1.7 >/dev/null
cat >read.cjs <<'JS'
const { Parse } = require("glossy");

const messages = [
  '[sd@32473 seq="7"] the job ended',
  '[sd@32473 seq="7"] job [nightly] ended',
  '[sd@32473 seq="7"] jobs: ["a", "b"]',
  '[sd@32473 seq="\\"7\\" \\]"] the job ended',
  '- job [nightly] ended',
];
for (const rest of messages) {
  const { message, structuredData } = Parse.parse(`<85>1 2026-11-30T06:00:00Z host app 1 id ${rest}`);
  console.log(`${rest}: ${JSON.stringify(message)}, ${JSON.stringify(structuredData?.["sd@32473"])}`);
}
JS
node read.cjs | tee seen
diff seen - <<'SEEN'
[sd@32473 seq="7"] the job ended: "the job ended", {"seq":"7"}
[sd@32473 seq="7"] job [nightly] ended: "ended", {"seq":"7"}
[sd@32473 seq="7"] jobs: ["a", "b"]: "", {"seq":"7"}
[sd@32473 seq="\"7\" \]"] the job ended: "the job ended", {"seq":"\"7\" ]"}
- job [nightly] ended: "job [nightly] ended", undefined
SEEN
