import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { isHmacOf } from "../../src/jwt/signatures.ts";
import { HMAC_KEY_FORMS, Secret } from "../../src/core/secret.ts";
import { HMAC_ALGORITHMS } from "../../src/core/algorithms.ts";

// Around the blocks of the hashes: a longer key is hashed first.
const length = fc.oneof(fc.nat(300), fc.constantFrom(63, 64, 65, 127, 128, 129));
const value = length.chain((n) => fc.string({ minLength: n, maxLength: n }));

Deno.test("a signature is the one that the runtime's own HMAC makes, with any key and text", () => {
  const input = fc.tuple(value, fc.array(fc.string({ unit: "binary" }), { minLength: 1 }));
  fc.assert(fc.property(input, ([text, signed]) => {
    const key = Buffer.from(text);
    for (const form of HMAC_KEY_FORMS) {
      const secret = Secret.imported(
        form === "text" ? text : key.toString(form === "raw" ? "base64" : form),
      );
      for (const algorithm of HMAC_ALGORITHMS) {
        // Several with one key: none may leave anything behind for the next.
        for (const one of signed) {
          const right = createHmac(`sha${algorithm.slice(2)}`, key).update(one).digest();
          const is = (signature: Buffer) =>
            isHmacOf(secret, form, algorithm, one, signature.toString("base64url"));
          const wrong = Buffer.from(right);
          wrong[right.length - 1]! ^= 1;
          const longer = Buffer.concat([right, Buffer.alloc(10)]);
          const others = [wrong, right.subarray(1), longer, longer.subarray(0, -9), Buffer.of()];
          assert.ok(is(right));
          assert.ok(!others.some(is));
        }
      }
    }
  }));
});
