import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { PAIR_ALGORITHMS, PAIR_SCHEMES, type PairAlgorithm } from "../../src/core/algorithms.ts";
import { Secret } from "../../src/core/secret.ts";
import { isSignedByPair, signedByPair, verifyWith } from "../../src/jwt/pair_signatures.ts";
import { openSsl } from "../../src/system/linux/openssl.ts";

// Once: a library stays loaded.
const OPENSSL = openSsl();
const FASTER = PAIR_ALGORITHMS.filter((alg) => PAIR_SCHEMES[alg].hash !== null);

/** Verdicts of the runtime and of OpenSSL. */
function verdicts(value: string, alg: PairAlgorithm, text: string, signature: string) {
  return [undefined, () => OPENSSL].map((way) => {
    verifyWith(way ?? (() => undefined));
    try {
      // What verifies is kept for a key.
      return isSignedByPair(Secret.parse(value).pair!, alg, text, signature);
    } finally {
      verifyWith(() => undefined);
    }
  });
}

Deno.test("OpenSSL is there, and takes every key but those that the runtime is faster with", async () => {
  for (const alg of PAIR_ALGORITHMS) {
    const { publicKey } = (await Secret.generatePair(alg, 2048)).pair!;
    const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
    const check = OPENSSL!(spki, PAIR_SCHEMES[alg]);
    assert.equal(check !== undefined, FASTER.includes(alg), alg);
  }
});

Deno.test("what is no public key is left to the runtime", async () => {
  const nonsense = new Uint8Array(91).fill(7);
  assert.equal(OPENSSL!(nonsense, PAIR_SCHEMES.ES256), undefined);
  // Of another kind than the scheme.
  const { publicKey } = (await Secret.generatePair("ES256", 2048)).pair!;
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  assert.equal(OPENSSL!(spki, PAIR_SCHEMES.PS256), undefined);
});

for (const alg of FASTER) {
  Deno.test(`${alg}: OpenSSL and the runtime agree on signatures, and on changed ones`, async () => {
    const secret = await Secret.generatePair(alg, 2048);
    const input = fc.tuple(fc.string(), fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(input, ([text, place, change]) => {
        const right = signedByPair(secret.pair!, alg, text);
        assert.deepEqual(verdicts(secret.reveal(), alg, text, right), [true, true]);
        assert.deepEqual(verdicts(secret.reveal(), alg, `${text}.`, right), [false, false]);
        const wrong = Buffer.from(right, "base64url");
        wrong[place % wrong.length]! ^= change;
        const changed = wrong.toString("base64url");
        assert.deepEqual(verdicts(secret.reveal(), alg, text, changed), [false, false]);
      }),
      { numRuns: 15 },
    );
  });
}

Deno.test("numbers of a signature that are zero, or have leading zeros, are the same for both", async () => {
  for (const alg of ["ES256", "ES384", "ES512"] as const) {
    const secret = await Secret.generatePair(alg, 2048);
    const length = Buffer.from(signedByPair(secret.pair!, alg, "a"), "base64url").length;
    for (const fill of [0, 1, 0xff]) {
      for (const zeros of [0, 1, length / 2]) {
        const signature = Buffer.alloc(length, fill).fill(0, 0, zeros).toString("base64url");
        assert.deepEqual(verdicts(secret.reveal(), alg, "a", signature), [false, false]);
      }
    }
  }
  // About one in 128 signatures has a number that begins with a zero byte.
  const secret = await Secret.generatePair("ES256", 2048);
  let seen = 0;
  for (let i = 0; i < 5_000 && seen < 3; i++) {
    const signature = signedByPair(secret.pair!, "ES256", String(i));
    const bytes = Buffer.from(signature, "base64url");
    if (bytes[0] !== 0 && bytes[32] !== 0) continue;
    seen++;
    assert.deepEqual(verdicts(secret.reveal(), "ES256", String(i), signature), [true, true]);
  }
  assert.equal(seen, 3);
});
