const { createInterface } = require("node:readline");
const process = require("node:process");
const { JwksClient } = require("jwks-rsa");
const jwt = require("jsonwebtoken");

const [url, seconds] = process.argv.slice(2);
const client = new JwksClient({ jwksUri: url, cacheMaxAge: Number(seconds) * 1000 });
const keyOf = ({ kid }, done) =>
  client.getSigningKey(kid).then((key) => done(null, key.getPublicKey()), done);
const algorithms = ["ES256", "ES384", "ES512", "RS256", "RS512", "PS256"];
createInterface({ input: process.stdin }).on("line", (token) => {
  jwt.verify(token, keyOf, { algorithms }, (error) => {
    process.stdout.write(error ? `refused: ${error.message}\n` : "accepted\n");
  });
});
