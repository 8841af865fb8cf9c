#!/usr/bin/env bash
# jsrsasign 11.1.5 (npm) looks at the characters of an HMAC secret that is given as a string: one that could be
# hexadecimal is taken for bytes, every other one for text.
#
# Guessed: a string is a string, as it is to jsonwebtoken, jose's CLI, PyJWT and others.
# Seen: the same 64 bytes are keyed with as text when they are written in base64, and as the bytes themselves when they
# are written in hex. The secret `{utf8: …}` is text in both cases. So a hex secret that programs share as text has to
# be given to jsrsasign as `{utf8: …}`.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund jsrsasign@11.1.5 >/dev/null
cat >try.cjs <<'JS'
const { createHash, createHmac } = require("node:crypto");
const { KJUR } = require("jsrsasign");

const bytes = createHash("sha512").update("an example").digest();
for (const form of ["base64", "hex"]) {
  const text = bytes.toString(form);
  for (const [name, secret] of [["string", text], ["utf8", { utf8: text }]]) {
    const token = KJUR.jws.JWS.sign("HS512", { alg: "HS512" }, { sub: "alice" }, secret);
    const [header, payload, signature] = token.split(".");
    const keyed = (key) => createHmac("sha512", key).update(`${header}.${payload}`).digest("base64url");
    const key = signature === keyed(text) ? "text" : signature === keyed(bytes) ? "bytes" : "neither";
    console.log(form, "as", name, "is keyed with the", key);
  }
}
JS
node try.cjs | tee seen
diff seen - <<'SEEN'
base64 as string is keyed with the text
base64 as utf8 is keyed with the text
hex as string is keyed with the bytes
hex as utf8 is keyed with the text
SEEN
