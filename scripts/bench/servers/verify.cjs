// deno-lint-ignore-file no-console no-process-global
// One verification by a program of its own, as a script would do it: TOKEN, the secret on stdin.
const { readFileSync } = require("node:fs");
const jwt = require("jsonwebtoken");
const key = readFileSync(0, "utf8").trim();
console.log(jwt.verify(process.argv[2], key, { algorithms: ["HS512"] }).sub);
