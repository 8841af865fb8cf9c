#!/usr/bin/env bash
# docker-registry 2.8.2+ds1-1 (Debian) with `auth: token`, which checks tokens of an issuer by certificates in `rootcertbundle`.
#
# Guessed: `kid` is the issuer's own name for a key (RFC 7515 §4.1.4). With one key in the bundle a token without `kid`, or with the
# key's thumbprint (RFC 7638) as one, is checked with that key. `aud` may be a list and `exp` have a fraction (RFC 7519 §2, §4.1.3).
# Seen: none of the four. A `kid` must be the first 240 bits of the SHA-256 of the key's DER in base32, in twelve groups of four with
# colons between; without one the token has to bring the certificate (`x5c`), and then `kid` may be anything. `aud` in a list of one
# and an `exp` that ends in .5 are "malformed". So an issuer that goes by rules of its own for `kid` sends `x5c` too.
# On Debian 12 with Node.js and openssl; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill $registry; rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq docker-registry=2.8.2+ds1-1
dpkg-deb -x docker-registry_*.deb unpacked
npm install --silent --no-audit --no-fund jose@6.2.17 >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out certificate.pem \
  -subj /CN=issuer -days 2 2>/dev/null
port=$(node -e 'const one = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(one.address().port); one.close(); })')
cat >registry.yml <<YML
version: 0.1
storage: { filesystem: { rootdirectory: $PWD/data } }
http: { addr: "127.0.0.1:$port" }
auth:
  token: { realm: "http://issuer.example/", service: registry.example, issuer: issuer.example, rootcertbundle: $PWD/certificate.pem }
YML
unpacked/usr/bin/docker-registry serve registry.yml >log 2>&1 & registry=$!
until grep -q "listening on" log; do sleep 0.1; done
cat >try.mjs <<'JS'
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint, exportJWK, SignJWT } from "jose";

const privateKey = createPrivateKey(readFileSync("key.pem"));
const publicKey = createPublicKey(privateKey);
const x5c = [new X509Certificate(readFileSync("certificate.pem")).raw.toString("base64")];

// RFC 4648 §6, for 30 bytes, which need no padding.
function groups(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{5}/g).map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(five, 2)]).join("");
  return letters.match(/.{4}/g).join(":");
}
const der = publicKey.export({ type: "spki", format: "der" });
const fingerprint = groups(createHash("sha256").update(der).digest().subarray(0, 30));
const thumbprint = await calculateJwkThumbprint(await exportJWK(publicKey));

const now = Math.floor(Date.now() / 1000);
const claims = { iss: "issuer.example", sub: "alice", aud: "registry.example", iat: now, nbf: now, exp: now + 300, access: [] };
async function ask(what, header, changed) {
  const token = await new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: "ES256", ...header }).sign(privateKey);
  const answer = await fetch(`http://127.0.0.1:${process.argv[2]}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  console.log(`${what}: ${answer.status}`);
}
await ask("no kid", {});
await ask("kid 2026", { kid: "2026" });
await ask("kid, the thumbprint", { kid: thumbprint });
await ask(`kid, ${fingerprint.length} letters and colons`, { kid: fingerprint });
await ask("x5c, no kid", { x5c });
await ask("x5c, kid 2026", { x5c, kid: "2026" });
await ask("x5c, aud in a list", { x5c }, { aud: [claims.aud] });
await ask("x5c, exp with a fraction", { x5c }, { exp: now + 300.5 });
JS
node try.mjs "$port" | tee seen
diff seen - <<'SEEN'
no kid: 401
kid 2026: 401
kid, the thumbprint: 401
kid, 59 letters and colons: 200
x5c, no kid: 200
x5c, kid 2026: 200
x5c, aud in a list: 401
x5c, exp with a fraction: 401
SEEN
