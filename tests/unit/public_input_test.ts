import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { RekeyError } from "../../src/core/errors.ts";
import { publicIn } from "../../src/secret/import/public_key.ts";
import { derSource, keySource } from "../../src/secret/import/source.ts";

const HINT =
  /^It has only the public key, which signs nothing: import the private key.*; if the application does use it as it is, --literal imports it$/;
const ENCODINGS = ["hex", "base64", "base64url"] as const;
const CURVES = [["P-256", 65], ["P-384", 97], ["P-521", 133]] as const;

const bytes = (text: string) => new TextEncoder().encode(text);

/** What is read of an input without `--literal`, a text as such. */
const read = (input: string | Uint8Array) =>
  typeof input === "string" ? keySource(input, {}) : derSource(input, {});

function mustBePublic(input: string | Uint8Array, what: RegExp): void {
  assert.throws(() => read(input), (error) => {
    assert.ok(error instanceof RekeyError);
    assert.match(error.message, what);
    assert.match(error.hint ?? "", HINT);
    return true;
  });
  assert.ok(publicIn(typeof input === "string" ? bytes(input) : input));
}

function mustBeSecret(key: Buffer): void {
  for (const input of [key, ...ENCODINGS.map((one) => key.toString(one))]) {
    assert.equal(read(input), undefined);
    assert.equal(publicIn(typeof input === "string" ? bytes(input) : input), undefined);
  }
}

/** SEC 1 §2.3.3, uncompressed. */
function pointOf(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: "jwk" });
  return Buffer.concat([Buffer.of(4), ...[x, y].map((one) => Buffer.from(one!, "base64url"))]);
}

Deno.test("a public key is refused with one hint, whatever form it has", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = String(publicKey.export({ format: "pem", type: "spki" }));
  const der = Buffer.from(publicKey.export({ format: "der", type: "spki" }));
  const jwk = JSON.stringify(publicKey.export({ format: "jwk" }));
  for (const whole of [pem, der, jwk]) {
    mustBePublic(whole, /a public (key|JWK)$/);
    for (const encoding of ENCODINGS) {
      mustBePublic(Buffer.from(whole).toString(encoding), /a public key$|keys are public$/);
    }
  }
});

Deno.test("a point of a curve is a public key, also one with zeros before a coordinate", () => {
  for (const [namedCurve, length] of CURVES) {
    for (let left = 40; left > 0; left--) {
      const point = pointOf(generateKeyPairSync("ec", { namedCurve }).publicKey);
      assert.equal(point.length, length);
      mustBePublic(point, /the point of a public key$/);
      for (const encoding of ENCODINGS) mustBePublic(point.toString(encoding), /the point of/);
    }
  }
});

Deno.test("no random secret is taken for a public key", () => {
  for (let length = 32; length <= 133; length++) {
    for (let left = 20; left > 0; left--) mustBeSecret(randomBytes(length));
  }
  for (const [namedCurve, length] of CURVES) {
    for (let left = 700; left > 0; left--) {
      mustBeSecret(Buffer.concat([Buffer.of(4), randomBytes(length - 1)]));
    }
    // Its neighbour is not on the curve.
    const point = pointOf(generateKeyPairSync("ec", { namedCurve }).publicKey);
    mustBeSecret(Buffer.concat([point.subarray(0, -1), Buffer.of(point.at(-1)! ^ 1)]));
    // A half of all random values of its length are such points.
    mustBeSecret(Buffer.concat([Buffer.of(2), point.subarray(1, (length + 1) / 2)]));
  }
});
