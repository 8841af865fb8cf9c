#!/usr/bin/env bash
# jwk-thumbprint 0.1.4 (npm) answers `undefined` for an OKP key (RFC 8037 §2), without an error.
#
# Guessed: the thumbprint, or an error that names the key type.
# Seen: `undefined`, while EC and RSA keys get what jose 6.2.17 computes. A set whose kids are made with it has every
# Ed25519 key under the same "undefined" once the value is put into a text.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund jwk-thumbprint@0.1.4 jose@6.2.17 >/dev/null
cat >try.mjs <<'JS'
import { generateKeyPairSync } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import thumbprints from "jwk-thumbprint";

const pairs = {
  "EC": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "RSA": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "OKP": generateKeyPairSync("ed25519"),
};
for (const [kind, { publicKey }] of Object.entries(pairs)) {
  const jwk = publicKey.export({ format: "jwk" });
  const found = thumbprints.jwkThumbprintByEncoding(jwk, "SHA-256", "base64url");
  console.log(kind, found === await calculateJwkThumbprint(jwk) ? "as jose" : found);
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
EC as jose
RSA as jose
OKP undefined
SEEN
