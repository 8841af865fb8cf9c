const { createInterface } = require("node:readline");
const process = require("node:process");
const { createRemoteJWKSet, jwtVerify } = require("jose");

const [url, seconds, cooldown] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(url), {
  cacheMaxAge: Number(seconds) * 1000,
  cooldownDuration: Number(cooldown) * 1000,
});
const tokens = createInterface({ input: process.stdin });
(async () => {
  for await (const token of tokens) {
    const answer = await jwtVerify(token, keys).then(
      () => "accepted",
      (error) => `refused: ${error.message}`,
    );
    process.stdout.write(`${answer}\n`);
  }
})();
