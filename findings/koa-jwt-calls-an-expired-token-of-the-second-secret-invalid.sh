#!/usr/bin/env bash
# koa-jwt 4.0.4 in koa 3.3.0 (npm) with a list of secrets, the former one and the current one, as its readme has it for a rotation.
#
# Guessed: a token that one of them has signed, and whose `exp` is over, is "jwt expired", whichever of them it was: the
# application sees that in `originalError` and has the client get a new token.
# Seen: when all refuse, `originalError` is that of the first secret in the list: "invalid signature" for each token of
# the second. In the readme's order that is every expired token of the current secret, so a client that renews its token
# on "expired" and logs out on anything else logs everyone out. With the current one first it is the former's, while those are out.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund koa@3.3.0 koa-jwt@4.0.4 jsonwebtoken@9.0.3 >/dev/null
cat >try.mjs <<'JS'
import { once } from "node:events";
import jwt from "jsonwebtoken";
import Koa from "koa";
import koaJwt from "koa-jwt";

const secrets = { former: "f".repeat(32), current: "c".repeat(32) };
for (const order of [["former", "current"], ["current", "former"]]) {
  const koa = new Koa();
  koa.use((context, next) => next().catch(({ status, originalError }) => {
    context.body = originalError.message;
    context.status = status;
  }));
  koa.use(koaJwt({ secret: order.map((name) => secrets[name]) }));
  koa.use((context) => { context.body = "hello"; });
  const server = koa.listen(0, "127.0.0.1");
  await once(server, "listening");
  for (const name of Object.keys(secrets)) {
    for (const [age, expiresIn] of [["good", 60], ["expired", -60]]) {
      const headers = { authorization: `Bearer ${jwt.sign({ sub: "alice" }, secrets[name], { expiresIn })}` };
      const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
      console.log(`${order.join(", ")}: ${age} token of the ${name} one: ${answer.status} ${await answer.text()}`);
    }
  }
  server.close();
  server.closeAllConnections();
}
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
former, current: good token of the former one: 200 hello
former, current: expired token of the former one: 401 jwt expired
former, current: good token of the current one: 200 hello
former, current: expired token of the current one: 401 invalid signature
current, former: good token of the former one: 200 hello
current, former: expired token of the former one: 401 invalid signature
current, former: good token of the current one: 200 hello
current, former: expired token of the current one: 401 jwt expired
SEEN
