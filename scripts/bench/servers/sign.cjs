// deno-lint-ignore-file no-process-global no-node-globals
// Signs tokens of ES256: PATH COUNT, the private key on stdin.
const { createPrivateKey, sign } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const [path, count] = process.argv.slice(2);
const key = { key: createPrivateKey(readFileSync(0)), dsaEncoding: "ieee-p1363" };
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const header = encoded({ alg: "ES256", typ: "JWT" });
const exp = Math.floor(Date.now() / 1000) + 86_400;
const lines = Array.from({ length: Number(count) }, (_, n) => {
  const signed = `${header}.${encoded({ sub: `user-${n}`, exp })}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}\n`;
});
writeFileSync(path, lines.join(""));
