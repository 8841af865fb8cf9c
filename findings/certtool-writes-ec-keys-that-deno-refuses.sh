#!/usr/bin/env bash
# Where two readings of RFC 5915 meet: private keys for ECDSA of certtool 3.7.9 (Debian, gnutls-bin 3.7.9-2+deb12u7) in node:crypto
# of Deno 2.7.11 (npm), beside Node.js.
#
# Guessed: a P-256 key in PKCS#8 is the same from every program; the private key is 32 bytes in it (RFC 5915 §3).
# Seen: certtool writes the number as a signed one: with a zero byte in front, 33 bytes, when its first bit is set. That is
# every second key. Deno's createPrivateKey refuses those as "invalid SEC1 private key", so a script that has worked once
# fails with the next key. Node.js, OpenSSL and Deno's own importKey take them. `openssl pkey -in KEY` writes the same key
# in 32 bytes.
# On Debian 12 with Node.js and openssl; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq gnutls-bin=3.7.9-2+deb12u7 libgnutls-dane0 libgnutls30=3.7.9-2+deb12u7 libopts25 libunbound8
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
npm install --silent --no-audit --no-fund deno@2.7.11 >/dev/null
libraries=$(echo unpacked/usr/lib/*-linux-gnu)
certtool() { LD_LIBRARY_PATH=$libraries unpacked/usr/bin/certtool "$@" 2>/dev/null; }
# The private key's length is byte 35 of this DER. One of the two lengths is missing once in 2^99 runs.
for _ in {1..100}; do
  certtool --generate-privkey --key-type ecdsa --curve secp256r1 --pkcs8 --password '' --no-text >key.pem
  cp key.pem "bytes-$(grep -v -- ----- key.pem | base64 -d | od -An -tu1 -j 35 -N 1 | tr -d ' ').pem"
  ! [ -s bytes-32.pem ] || ! [ -s bytes-33.pem ] || break
done
openssl pkey -in bytes-33.pem -out rewritten.pem
cat >read.mjs <<'JS'
import { createPrivateKey, subtle } from "node:crypto";
import { readFileSync } from "node:fs";

const program = globalThis.Deno === undefined ? "Node.js" : "Deno";
const result = async (read) => {
  try {
    await read();
    return "taken";
  } catch (error) {
    return error.message;
  }
};
for (const name of ["bytes-32", "bytes-33", "rewritten"]) {
  const pem = readFileSync(`${name}.pem`, "utf8");
  const der = Buffer.from(pem.replace(/-----.*-----|\s/g, ""), "base64");
  const options = [{ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]];
  console.log(`${program}, ${name}, createPrivateKey:`, await result(() => createPrivateKey(pem)));
  console.log(`${program}, ${name}, importKey:`, await result(() => subtle.importKey("pkcs8", der, ...options)));
}
JS
{ node read.mjs && node_modules/.bin/deno run --quiet --allow-read read.mjs; } | tee seen
diff seen - <<'SEEN'
Node.js, bytes-32, createPrivateKey: taken
Node.js, bytes-32, importKey: taken
Node.js, bytes-33, createPrivateKey: taken
Node.js, bytes-33, importKey: taken
Node.js, rewritten, createPrivateKey: taken
Node.js, rewritten, importKey: taken
Deno, bytes-32, createPrivateKey: taken
Deno, bytes-32, importKey: taken
Deno, bytes-33, createPrivateKey: invalid SEC1 private key
Deno, bytes-33, importKey: taken
Deno, rewritten, createPrivateKey: taken
Deno, rewritten, importKey: taken
SEEN
