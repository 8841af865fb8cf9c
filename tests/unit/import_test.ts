import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { isRekeyError } from "../../src/core/errors.ts";
import { statedUsage } from "../../src/auth/import_usage.ts";
import { decodeText, type Encoding } from "../../src/secret/import/imported.ts";
import { sourceOf } from "../../src/secret/import/source.ts";
import { weaknesses } from "../../src/secret/import/not_a_secret.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** As `rekey import --encoding` reads it. */
const importedSecret = (data: Uint8Array, encoding: Encoding) =>
  statedUsage(sourceOf(decodeText(data), { literal: true }), { encoding });

Deno.test("an imported value keys HMAC as the application did, in every encoding", () => {
  const key = randomBytes(48);
  for (const encoding of ["base64", "base64url", "hex"] as const) {
    const { secret, keyForm } = importedSecret(bytes(`${key.toString(encoding)}\n`), encoding);
    assert.equal(keyForm, "raw");
    assert.deepEqual(secret.hmacKey(keyForm), new Uint8Array(key));
  }
  const { secret, keyForm } = importedSecret(bytes("pässword with spaces \r\n"), "text");
  assert.deepEqual(secret.hmacKey(keyForm), bytes("pässword with spaces "));
});

Deno.test("lines that a tool has broken are one value; base64 may lack its padding", () => {
  const key = randomBytes(50);
  const broken = key.toString("base64").replace(/.{20}/g, "$&\n").replace(/=+$/, "");
  assert.deepEqual(
    importedSecret(bytes(broken), "base64").secret.hmacKey("raw"),
    new Uint8Array(key),
  );
});

Deno.test("what is not in the encoding is refused and never quoted", () => {
  const wrong: [string | Uint8Array, Encoding][] = [
    ["", "text"],
    ["\n", "text"],
    ["a\0b", "text"],
    [new Uint8Array([0xff, 0xfe]), "text"],
    ["x".repeat(4_097), "text"],
    ["QUJD!", "base64"],
    ["QUJDR", "base64"],
    ["QUJ_", "base64"],
    ["QUJ/", "base64url"],
    ["QUI", "hex"],
    ["4142434", "hex"],
    // The last digit has bits that no byte takes.
    ["QUJDRF", "base64"],
  ];
  for (const [value, encoding] of wrong) {
    const data = typeof value === "string" ? bytes(value) : value;
    assert.throws(() => importedSecret(data, encoding), (error) => {
      assert.ok(isRekeyError(error, "usage"), String(error));
      return typeof value !== "string" || value.length < 3 || !error.message.includes(value);
    }, JSON.stringify(value));
  }
});

Deno.test("weak keys are named: short, of little entropy, well-known", () => {
  const reasons = (text: string | Uint8Array) =>
    weaknesses(typeof text === "string" ? bytes(text) : text, "HS256").join("; ");
  assert.match(reasons(randomBytes(31)), /^it has 31 bytes, HS256 needs 32/);
  for (
    const text of ["a".repeat(64), "abcdefghij".repeat(7), "0123456789abcdefghijklmnopqrstuvwxyz"]
  ) {
    assert.match(reasons(text), /entropy/, text);
  }
  for (
    const text of [
      "your-256-bit-secret",
      "your-512-bit-secret-your-512-bit-secret-your-512-bit-secret-1234",
      "a-string-secret-at-least-256-bits-long",
      "CHANGE_ME_IN_PRODUCTION_THIS_IS_NOT_SECURE",
      "my_super_secret_jwt_signing_key_for_the_app",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ]
  ) assert.match(reasons(text), /well-known/, text);
});

Deno.test("keys from a CSPRNG are not called weak", () => {
  for (let round = 0; round < 500; round++) {
    assert.deepEqual(weaknesses(randomBytes(32), "HS256"), []);
    assert.deepEqual(weaknesses(bytes(randomBytes(16).toString("hex")), "HS256"), []);
    assert.deepEqual(weaknesses(bytes(randomBytes(64).toString("base64")), "HS512"), []);
  }
});
