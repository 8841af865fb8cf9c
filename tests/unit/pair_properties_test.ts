import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { compactVerify, importJWK } from "jose";
import { asRefusal, isRekeyError } from "../../src/core/errors.ts";
import { PAIR_ALGORITHMS, type PairAlgorithm } from "../../src/core/algorithms.ts";
import { isSignedWith, signCompact } from "../../src/jwt/signatures.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { mutated, type Random, randomText, seeded } from "../support/attacks/mutation.ts";
import { attacksOnPair } from "../support/attacks/pair_attacks.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { THOROUGH } from "../support/process/sample.ts";

// RSA's other hashes take the same way, and their keys take long to make.
const FUZZED = PAIR_ALGORITHMS.filter((alg) => !/^[RP]S(384|512)$/.test(alg));
const TRIES = THOROUGH ? 1_500 : 300;
// The last one is rare, and may take more tries than the rest needs.
const MUTATIONS_MEET = ["alg_not_allowed", "bad_signature", "malformed", "unknown_kid"];

/** A token of which a part, or the bytes that a part encodes, is another. */
function changed(token: string, other: string, random: Random): string {
  const kind = random();
  if (kind < 0.1) return randomText(random);
  if (kind < 0.4) return mutated(token, other, random);
  const parts = token.split(".");
  const at = Math.floor(random() * parts.length);
  const bytes = Buffer.from(parts[at]!, "base64url").toString("latin1");
  const length = Math.floor(random() * 200);
  const made = kind < 0.8
    ? Buffer.from(mutated(bytes, other, random), "latin1")
    : Buffer.from(Array.from({ length }, () => random() * 256));
  return parts.with(at, made.toString("base64url")).join(".");
}

function fuzz(alg: PairAlgorithm, seed: number) {
  return async () => {
    using environment = testEnvironment();
    const secrets = new SecretManager(environment);
    await secrets.getOrCreate({ alg });
    const { secret } = await secrets.get();
    const { pair } = secret;
    assert.ok(pair !== undefined);
    const attacks = attacksOnPair({ alg, kid: secret.kid, privateKey: pair.privateKey });
    const wrong: string[] = [];
    for (const { name, token, code } of attacks) {
      const got = await secrets.verify(token).then(() => "valid", (error) => asRefusal(error).code);
      if (got !== code) wrong.push(`${name}: ${got}, not ${code}`);
    }
    assert.deepEqual(wrong, []);
    const tokens = attacks.filter(({ token }) => token.length < 3_000).map(({ token }) => token);
    const valid = new Set(attacks.filter(({ code }) => code === "valid").map(({ token }) => token));
    const random = seeded(seed);
    const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
    const codes = new Set<string>();
    const isLacking = () => MUTATIONS_MEET.some((code) => !codes.has(code));
    for (let tried = 0; tried < TRIES || isLacking() && tried < 20 * TRIES; tried++) {
      const token = changed(pick(random() < 0.5 ? [...valid] : tokens), pick(tokens), random);
      try {
        await secrets.verify(token);
        // A mutation may have made a wrong signature right.
        if (!valid.has(token)) {
          await compactVerify(token, await importJWK({ ...pair.publicJwk }, alg));
        }
      } catch (error) {
        if (!isRekeyError(error) || error.exitCode !== 3) {
          throw new Error(`seed ${seed}: ${token}`, { cause: error });
        }
        codes.add(error.code);
      }
    }
    assert.deepEqual(MUTATIONS_MEET.filter((code) => !codes.has(code)), []);
    secrets.close();
  };
}

for (const alg of FUZZED) {
  const seed = Math.floor(Math.random() * 2 ** 32);
  Deno.test(`${alg}: attacks come to their codes, mutated tokens to a refusal`, fuzz(alg, seed));
}

Deno.test("a signature of any length is no one's but the right one", async () => {
  for (const alg of FUZZED) {
    using environment = testEnvironment();
    const secrets = new SecretManager(environment);
    await secrets.getOrCreate({ alg });
    const { secret } = await secrets.get();
    const use = { alg, key_form: "pkcs8" } as const;
    const token = signCompact(secret, use, {}, { sub: "alice" });
    const signed = token.slice(0, token.lastIndexOf("."));
    const right = Buffer.from(token.slice(signed.length + 1), "base64url");
    for (let length = 0; length < right.length + 70; length++) {
      const bytes = Buffer.concat([right, Buffer.alloc(70)]).subarray(0, length);
      const isRight = isSignedWith(secret, use, signed, bytes.toString("base64url"));
      assert.equal(isRight, length === right.length, `${alg}: ${length} bytes`);
    }
    secrets.close();
  }
});
