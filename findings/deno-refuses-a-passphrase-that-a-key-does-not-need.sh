#!/usr/bin/env bash
# Private keys in PEM for node:crypto of Deno 2.7.11 (npm), beside Node.js, and jsonwebtoken 9.0.3 (npm) in both.
#
# Guessed: `passphrase` is what an encrypted key is decrypted with, so one more program setting for it does no harm to a plain
# key; and text and other blocks in front of the key are skipped (RFC 7468 §2), as by Node.js.
# Seen: in Deno a plain key with a passphrase is an "invalid encrypted PEM private key", so a
# program that always has its setting signs with encrypted keys alone. Text in front is skipped, and the block "EC
# PARAMETERS", which `openssl ecparam -genkey` puts there, is not: that key is refused. jsonwebtoken has one message for
# both. `openssl pkey` writes the key without the block.
# On Debian 12 with Node.js and openssl; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund deno@2.7.11 jsonwebtoken@9.0.3 >/dev/null
openssl ecparam -name prime256v1 -genkey -out parameters.pem 2>/dev/null
openssl pkey -in parameters.pem -out plain.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:pw -in plain.pem -out encrypted.pem
{ echo "A key for tests" && cat plain.pem; } >text.pem
cat >try.cjs <<'JS'
const { createPrivateKey } = require("node:crypto");
const { readFileSync } = require("node:fs");
const jwt = require("jsonwebtoken");

const program = globalThis.Deno === undefined ? "Node.js" : "Deno";
const result = (act) => {
  try {
    act();
    return "taken";
  } catch (error) {
    return error.message;
  }
};
for (const [name, passphrase] of [["encrypted", "pw"], ["plain", "pw"], ["plain"], ["text"], ["parameters"]]) {
  const key = { key: readFileSync(`${name}.pem`, "utf8"), passphrase };
  const read = result(() => createPrivateKey(key));
  const signed = result(() => jwt.sign({ sub: "alice" }, key, { algorithm: "ES256" }));
  console.log(`${program}, ${name}${passphrase ? " and a passphrase" : ""}: ${read}; by jsonwebtoken: ${signed}`);
}
JS
{ node try.cjs && node_modules/.bin/deno run --quiet --allow-read --allow-env try.cjs; } | tee seen
diff seen - <<'SEEN'
Node.js, encrypted and a passphrase: taken; by jsonwebtoken: taken
Node.js, plain and a passphrase: taken; by jsonwebtoken: taken
Node.js, plain: taken; by jsonwebtoken: taken
Node.js, text: taken; by jsonwebtoken: taken
Node.js, parameters: taken; by jsonwebtoken: taken
Deno, encrypted and a passphrase: taken; by jsonwebtoken: taken
Deno, plain and a passphrase: invalid encrypted PEM private key; by jsonwebtoken: secretOrPrivateKey is not valid key material
Deno, plain: taken; by jsonwebtoken: taken
Deno, text: taken; by jsonwebtoken: taken
Deno, parameters: invalid PEM private key; by jsonwebtoken: secretOrPrivateKey is not valid key material
SEEN
