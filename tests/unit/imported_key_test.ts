import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, randomBytes, randomInt } from "node:crypto";
import { isRekeyError } from "../../src/core/errors.ts";
import { derValues, integerOf, oidOf, sequenceIn } from "../../src/secret/import/der.ts";
import { pairOf } from "../../src/secret/import/key_numbers.ts";
import { isPrime } from "../../src/secret/import/rsa_numbers.ts";
import { keyInBytes, keyInText } from "../../src/secret/import/private_key.ts";
import { isSignedWith, signCompact } from "../../src/jwt/signatures.ts";

const NONE = () => assert.fail("no passphrase is needed");

const der = (key: KeyObject, type: "pkcs8" | "sec1" | "pkcs1") =>
  key.export({ type, format: "der" } as never) as unknown as Buffer;

const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;

// One byte or bit that is another, a part that is missing, added or overwritten.
function mutated(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = randomInt(randomInt(2) === 0 ? copy.length : Math.min(copy.length, 60));
  const kind = randomInt(5);
  if (kind === 0) return copy.subarray(0, at);
  if (kind === 1) copy[at] = randomInt(256);
  if (kind === 2) copy[at]! ^= 1 << randomInt(8);
  if (kind === 3) copy.fill(randomInt(2) * 255, at, Math.min(copy.length, at + randomInt(40)));
  if (kind < 4) return copy;
  return Buffer.concat([copy.subarray(0, at), randomBytes(randomInt(5)), copy.subarray(at + 1)]);
}

Deno.test("a private key that was changed anywhere is refused, or is one that signs", () => {
  const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { privateKey: ed } = generateKeyPairSync("ed25519");
  const keys: [Buffer, number][] = [
    [der(ec("P-256"), "pkcs8"), 600],
    [der(ec("P-384"), "sec1"), 300],
    [der(ec("P-521"), "pkcs8"), 600],
    [der(ed, "pkcs8"), 300],
    [der(rsa, "pkcs8"), 300],
    [der(rsa, "pkcs1"), 300],
  ];
  let refused = 0;
  for (const [original, rounds] of keys) {
    for (let round = 0; round < rounds; round++) {
      const bytes = mutated(original);
      try {
        const found = round % 2 === 0
          ? keyInBytes(bytes, NONE)
          : keyInText(bytes.toString("base64"), NONE);
        if (found === undefined) continue;
        const use = { alg: found.algorithms[0]!, key_form: "pkcs8" } as const;
        const [head, body, signature] = signCompact(found.secret, use, {}, {}).split(".");
        assert.ok(isSignedWith(found.secret, use, `${head}.${body}`, signature!));
      } catch (error) {
        // No text of the key may be in it: messages are fixed.
        assert.ok(isRekeyError(error, "usage", "secret_weak"), String(error));
        refused++;
      }
    }
  }
  assert.ok(refused > 1000);
});

Deno.test("a number is one of its curve from 1 to the order less one", () => {
  // SP 800-186 §3.2.1.3 to §3.2.1.5
  const orders = {
    "P-256": "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "P-384": "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf" +
      "581a0db248b0a77aecec196accc52973",
    "P-521": "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" +
      "ffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  } as const;
  for (const [crv, order] of Object.entries(orders)) {
    const key = (d: bigint) => pairOf({ kty: "EC", crv: crv as keyof typeof orders, d });
    const n = BigInt(`0x${order}`);
    assert.equal(order.length, crv === "P-521" ? 132 : Number(crv.slice(2)) / 4);
    for (const d of [1n, n - 1n]) assert.equal(key(d).publicJwk.crv, crv);
    for (const d of [0n, n, n + 1n]) assert.throws(() => key(d), /not one of its curve/);
    // The negative of a point has the same first coordinate.
    assert.equal(key(1n).publicJwk.x, key(n - 1n).publicJwk.x);
  }
});

Deno.test("only DER is read: no indefinite, long or overlong lengths, no negative numbers", () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
  for (
    const bad of ["30", "30 80 00 00", "30 05 02 01", "30 81 03 020100", "30 82 00 03 020100"]
      .concat(["1f 01 00", "30 83 00 00 03 020100", "30 84 00000003 020100"])
  ) assert.equal(derValues(hex(bad)), undefined, bad);
  assert.equal(sequenceIn(hex("30 03 020100 00")), undefined);
  assert.equal(sequenceIn(hex("30 03 020100"))?.length, 1);
  const integer = (text: string) => integerOf(derValues(hex(text))?.[0]);
  assert.deepEqual(["02 01 00", "02 01 7f", "02 02 00 80"].map(integer), [0n, 127n, 128n]);
  for (const bad of ["02 00", "02 01 80", "02 02 00 01", "04 01 00"]) {
    assert.equal(integer(bad), undefined, bad);
  }
  const oid = (text: string) => oidOf(derValues(hex(text))?.[0]);
  assert.equal(oid("06 09 2a864886f70d010101"), "1.2.840.113549.1.1.1");
  assert.equal(oid("06 03 2b6570"), "1.3.101.112");
  for (const bad of ["06 00", "06 01 80", "06 02 2a86"]) assert.equal(oid(bad), undefined, bad);
});

Deno.test("random secrets are no private keys", () => {
  for (let round = 0; round < 20_000; round++) {
    const bytes = randomBytes(16 + round % 80);
    assert.equal(keyInBytes(bytes, NONE), undefined);
    assert.equal(keyInText(bytes.toString("base64"), NONE), undefined);
  }
});

Deno.test("primes are told from numbers that only look like them", () => {
  const small = [2, 3, 5, 7, 11, 13, 97, 7919, 65_537];
  // Carmichael numbers, and pseudoprimes to several bases.
  const others = [1, 4, 9, 561, 1_105, 29_341, 3_215_031_751, 3_825_123_056_546_413_051n];
  for (const one of small) assert.ok(isPrime(BigInt(one)), String(one));
  for (const one of others) assert.ok(!isPrime(BigInt(one)), String(one));
  const mersenne = 2n ** 521n - 1n;
  assert.ok(isPrime(mersenne) && !isPrime(mersenne * (2n ** 127n - 1n)));
});
