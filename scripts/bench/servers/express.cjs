// deno-lint-ignore-file no-process-global
// express with jsonwebtoken: PORT, the secret on stdin.
const { readFileSync } = require("node:fs");
const jwt = require("jsonwebtoken");
const key = readFileSync(0, "utf8").trim();
const app = require("express")();
app.get("/auth", (request, response) => {
  try {
    const token = request.headers.authorization.slice("Bearer ".length);
    const { sub } = jwt.verify(token, key, { algorithms: ["HS512"] });
    response.status(204).set("x-auth-subject", sub).end();
  } catch {
    response.status(401).end();
  }
});
app.listen(Number(process.argv[2]), "127.0.0.1");
