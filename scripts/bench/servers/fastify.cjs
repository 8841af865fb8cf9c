// deno-lint-ignore-file no-process-global
// fastify with fast-jwt: PORT CACHE ALGORITHM, the key on stdin. CACHE is the number of tokens to remember, or 0.
const { readFileSync } = require("node:fs");
const { createVerifier } = require("fast-jwt");
const [port, cache] = process.argv.slice(2, 4).map(Number);
const algorithms = process.argv.slice(4);
const key = readFileSync(0, "utf8").trim();
const verify = createVerifier({ key, algorithms, cache: cache || false });
const app = require("fastify")();
app.get("/auth", (request, reply) => {
  try {
    const { sub } = verify(request.headers.authorization.slice("Bearer ".length));
    reply.code(204).header("x-auth-subject", sub).send();
  } catch {
    reply.code(401).send();
  }
});
app.listen({ host: "127.0.0.1", port });
