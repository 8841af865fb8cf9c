import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CachedVerifier } from "../../src/jwt/cached_verifier.ts";
import { AuthManager } from "../../src/auth/manager.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { HMAC_ALGORITHMS } from "../../src/core/algorithms.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { claims, signer } from "../support/attacks/jwt_attacks/row.ts";
import { fuzzFigures, fuzzTokens } from "../support/attacks/token_fuzz.ts";

/** Every text that differs from a token in one bit of one character. */
function* spellings(token: string): Iterable<string> {
  for (let at = 0; at < token.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit));
      yield token.slice(0, at) + changed + token.slice(at + 1);
    }
  }
}

/** Every token of which one bit of the header, the claims or the signature is another. */
function* contents(token: string): Iterable<string> {
  const parts = token.split(".").map((part) => Buffer.from(part, "base64url"));
  for (const part of parts) {
    for (let bit = 0; bit < part.length * 8; bit++) {
      part[bit >> 3]! ^= 1 << (bit & 7);
      yield parts.map((bytes) => bytes.toString("base64url")).join(".");
      part[bit >> 3]! ^= 1 << (bit & 7);
    }
  }
}

Deno.test("a token with any bit changed is refused, even if the token itself is remembered", async () => {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const { secret } = await secrets.get();
  const sign = signer(secret.reveal());
  const live = new LiveSecrets(environment, () => Promise.resolve(secret));
  const cached = new CachedVerifier(live);
  const { token: issued } = await new AuthManager(secrets).issue({ subject: "é", lifetime: 3_600 });
  const foreign = HMAC_ALGORITHMS.map((algorithm) => ({
    algorithm,
    token: sign(`{"alg":"${algorithm}"}`, claims(), secret.reveal(), `sha${algorithm.slice(2)}`),
  }));
  let refused = 0;
  for (const { token, algorithm } of [{ token: issued, algorithm: undefined }, ...foreign]) {
    const policy = { leeway: 0, allowNoExpiry: true, algorithm };
    for (const changed of [...spellings(token), ...contents(token)]) {
      await cached.verify(token, policy);
      await assert.rejects(async () => await cached.verify(changed, policy), (error) => {
        return isRekeyError(error) && error.exitCode === 3;
      }, changed);
      refused++;
    }
  }
  assert.ok(refused > 9_000, String(refused));
  live.close();
  secrets.close();
});

Deno.test("random and mutated tokens get our refusals and nothing else", async () => {
  const report = await fuzzTokens(10_000, Math.floor(Math.random() * 2 ** 32));
  assert.ok(report.parsed > 500 && report.accepted > 100, fuzzFigures(report));
});
