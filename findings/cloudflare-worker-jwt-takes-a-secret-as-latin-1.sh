#!/usr/bin/env bash
# @tsndr/cloudflare-worker-jwt 3.2.3 (npm) with secrets that are text, beside jose 6.2.17, jsonwebtoken 9.0.3 (npm) and PyJWT 2.6.0
# (Debian).
#
# Guessed: a text is its bytes in UTF-8, as for the others, and a text for HS256 is a secret, whatever is written in it.
# Seen: each character is one byte, the lowest eight bits of its number: what all three others sign with a secret in which there is
# one `ë` is refused, and they refuse what it signs. They take its tokens with the secret in Latin-1, so that is what to hand
# over when the secret moves. And a text with PRIVATE or PUBLIC in it, in capitals, is taken for a key in PEM, for
# HS256 too, and there is no token.
# On Debian 12; python3-jwt is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
/usr/bin/python3 -c 'import jwt' 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends python3-jwt=2.6.0-1+deb12u1 >/dev/null
npm install --silent --no-audit --no-fund @tsndr/cloudflare-worker-jwt@3.2.3 jose@6.2.17 jsonwebtoken@9.0.3 >/dev/null
cat >try.mjs <<'JS'
import { execFileSync } from "node:child_process";
import worker from "@tsndr/cloudflare-worker-jwt";
import { jwtVerify, SignJWT } from "jose";
import jsonwebtoken from "jsonwebtoken";

const python = "import jwt, sys; jwt.decode(sys.argv[1], bytes.fromhex(sys.argv[2]), algorithms=['HS256'])";
const readers = {
  jose: (token, secret) => jwtVerify(token, secret),
  jsonwebtoken: (token, secret) => jsonwebtoken.verify(token, secret, { algorithms: ["HS256"] }),
  PyJWT: (token, secret) => execFileSync("/usr/bin/python3", ["-c", python, token, secret.toString("hex")], { stdio: "ignore" }),
};
const outcome = async (make) => {
  try {
    return (await make()) === undefined ? "refused" : "accepted";
  } catch {
    return "refused";
  }
};
for (const text of ["thirty-two-letters-of-the-ASCII!", "thirty-two letters and one is: ë"]) {
  const token = await worker.sign({ sub: "alice" }, text);
  for (const [name, read] of Object.entries(readers)) {
    const [utf8, latin1] = ["utf8", "latin1"].map((encoding) => outcome(() => read(token, Buffer.from(text, encoding))));
    console.log(`${text}: ${name} with UTF-8 ${await utf8}, with Latin-1 ${await latin1}`);
  }
  const other = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(text));
  console.log(`${text}: a token of jose is ${await outcome(() => worker.verify(other, text))}`);
}
const named = "not PUBLIC but thirty-two letters";
console.log(`${named}: ${await worker.sign({ sub: "alice" }, named).then(() => "a token", ({ name }) => name)}`);
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
thirty-two-letters-of-the-ASCII!: jose with UTF-8 accepted, with Latin-1 accepted
thirty-two-letters-of-the-ASCII!: jsonwebtoken with UTF-8 accepted, with Latin-1 accepted
thirty-two-letters-of-the-ASCII!: PyJWT with UTF-8 accepted, with Latin-1 accepted
thirty-two-letters-of-the-ASCII!: a token of jose is accepted
thirty-two letters and one is: ë: jose with UTF-8 refused, with Latin-1 accepted
thirty-two letters and one is: ë: jsonwebtoken with UTF-8 refused, with Latin-1 accepted
thirty-two letters and one is: ë: PyJWT with UTF-8 refused, with Latin-1 accepted
thirty-two letters and one is: ë: a token of jose is refused
not PUBLIC but thirty-two letters: InvalidCharacterError
SEEN
