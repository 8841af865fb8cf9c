const { readFileSync } = require("node:fs");
const process = require("node:process");
const { Buffer } = require("node:buffer");
const jwt = require("jsonwebtoken");

const [mode, alg] = process.argv.slice(2);
const { key: text, form, token, claims, header = {} } = JSON.parse(readFileSync(0, "utf8"));
const key = form === "raw" ? Buffer.from(text, "base64") : text;
try {
  const answer = mode === "sign"
    ? jwt.sign(claims, key, { algorithm: alg, header: { alg, ...header } })
    : JSON.stringify(jwt.verify(token, key, { algorithms: [alg] }));
  process.stdout.write(answer + "\n");
} catch (error) {
  if (mode === "sign" || !(error instanceof jwt.JsonWebTokenError)) throw error;
  process.stderr.write(`refused: ${error.message}\n`);
  process.exitCode = 1;
}
