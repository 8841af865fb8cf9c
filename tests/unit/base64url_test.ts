import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { decodeBase64url, decodeInto, encodeText } from "../../src/core/encoding.ts";

const CHARACTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];

Deno.test("of every two and three last characters only the canonical ones are taken", () => {
  const memory = new Uint8Array(8);
  let taken = 0;
  for (const first of CHARACTERS) {
    for (const second of CHARACTERS) {
      for (const third of ["", ...CHARACTERS]) {
        const text = `AAAA${first}${second}${third}`;
        // Encoded again, it is the same text: nothing else is canonical.
        const canonical = Buffer.from(text, "base64url").toString("base64url") === text;
        assert.equal(decodeBase64url(text) !== undefined, canonical, text);
        assert.equal(decodeInto(memory, text) !== undefined, canonical, text);
        taken += Number(canonical);
      }
    }
  }
  assert.equal(taken, 256 + 65_536);
});

Deno.test("padding, white space and other alphabets are refused", () => {
  const memory = new Uint8Array(100);
  const refused = ["A", "AAAAA", "AA==", "AA=", "A A", "AA\n", "+A", "/A", "é", "\0AAA", "AAA="];
  for (const text of refused) {
    assert.equal(decodeBase64url(text), undefined, text);
    assert.equal(decodeInto(memory, text), undefined, text);
  }
  const unit = fc.constantFrom(...CHARACTERS, ..." \t\n\f\r=+/é");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), (text) => {
      assert.deepEqual(decodeInto(memory, text), decodeBase64url(text));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("memory that is used again gives the same bytes, and what does not fit is not cut off", () => {
  const memory = new Uint8Array(100);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    const text = Buffer.from(bytes).toString("base64url");
    const into = decodeInto(memory, text);
    assert.deepEqual(decodeBase64url(text), bytes);
    assert.deepEqual(
      into && Buffer.from(into),
      bytes.length > 100 ? undefined : Buffer.from(bytes),
    );
  }));
});

Deno.test("a text of any length and alphabet is encoded as its UTF-8", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.integer({ min: 5_000, max: 20_000 }).map((n) => "é漢a".repeat(n / 3)),
  );
  fc.assert(fc.property(text, (any) => {
    assert.equal(encodeText(any), Buffer.from(any.toWellFormed()).toString("base64url"));
  }));
});
