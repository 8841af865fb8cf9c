import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";

Deno.test("a generated secret is 64 bytes as 88 characters of base64, and never the same", () => {
  const values = new Set(Array.from({ length: 100 }, () => Secret.generate().reveal()));
  assert.equal(values.size, 100);
  for (const value of values) assert.match(value, /^[A-Za-z0-9+/]{86}==$/);
});

Deno.test("a secret shows only its kid, however it is printed", () => {
  const secret = Secret.generate();
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    Deno.inspect({ deep: [secret] }),
    inspect({ deep: [secret] }),
    Object.entries(secret).join(),
  ];
  for (const text of shown) {
    assert.ok(text.includes(secret.kid));
    assert.ok(!text.includes(secret.reveal().slice(0, 12)));
  }
});

Deno.test("the kid is 16 base64url characters of an HMAC over a fixed label", () => {
  const text = Buffer.alloc(64, 7).toString("base64");
  const expected = createHmac("sha256", text).update("rekey kid v1").digest("base64url");
  assert.equal(Secret.parse(text).kid, expected.slice(0, 16));
});

Deno.test("the key form says what HMAC is keyed with", () => {
  const text = Buffer.alloc(64, 7).toString("base64");
  assert.deepEqual(Secret.parse(text).hmacKey("text"), new TextEncoder().encode(text));
  assert.deepEqual(Secret.parse(text).hmacKey("raw"), new Uint8Array(64).fill(7));
});

const good = Buffer.alloc(64, 7).toString("base64");
const damaged: Record<string, string> = {
  "an empty text": "",
  "63 bytes": Buffer.alloc(63).toString("base64"),
  "65 bytes": Buffer.alloc(65).toString("base64"),
  "base64url": Buffer.alloc(64, 255).toString("base64url"),
  "a line end after it": `${good}\n`,
  "no padding": good.replace(/=/g, ""),
  "bits that the last character does not use": good.replace(/.==$/, "x=="),
  "other text": "not base64 at all!",
};
for (const [what, text] of Object.entries(damaged)) {
  Deno.test(`a stored value that is ${what} is refused and not quoted`, () => {
    assert.throws(() => Secret.parse(text), (error) => {
      assert.ok(isRekeyError(error, "secret_damaged"));
      return text === "" || !error.message.includes(text);
    });
  });
}
