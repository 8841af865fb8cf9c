import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { isRekeyError } from "../../src/core/errors.ts";
import { sameText, Secret } from "../../src/core/secret.ts";
import type { Kek } from "../../src/store/sealed/kek.ts";
import { seal, unseal } from "../../src/store/sealed/sealing.ts";
import { openEnvelope, sealEnvelope } from "../../src/backup/envelope.ts";
import { AWKWARD_TEXTS } from "../support/attacks/awkward_texts.ts";
import { storable, utf8 } from "../../src/core/encoding.ts";

const KEK: Kek = {
  id: "a".repeat(16),
  key: createSecretKey(Buffer.alloc(32, 7)),
  source: "a test",
  generated: false,
};
const BINDING = { app: "a", use: "secret", version: 1, secret_kid: "k" } as const;

for (const [name, text] of Object.entries(AWKWARD_TEXTS)) {
  Deno.test(`${name}: bytes, a sealed value and an envelope give the same text back`, async () => {
    assert.equal(utf8(new TextEncoder().encode(text)), text);
    assert.equal(unseal(KEK, BINDING, await seal(KEK, BINDING, text)), text);
    const versions = [{ version: 1, kid: Secret.imported(text).kid, value: text }];
    const contents = { app: "a", audit_key: "", versions };
    const { generateIdentity, identityToRecipient } = await import("age-encryption");
    const identity = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    const sealed = await sealEnvelope(contents, { recipients });
    assert.deepEqual(await openEnvelope(sealed, { identities: [identity] }), contents);
  });
}

Deno.test("half of a surrogate pair is not text: it is neither sealed nor taken for a secret", async () => {
  await assert.rejects(seal(KEK, BINDING, "\ud800x"), (error) => isRekeyError(error, "failed"));
  // Its UTF-8 is that of the replacement character, so its kid would be the other one's.
  const { kid } = Secret.imported("\ufffdx");
  for (const take of [() => Secret.imported("\ud800x"), () => Secret.parse("\ud800x", kid)]) {
    assert.throws(take, (error) => isRekeyError(error, "secret_damaged"));
  }
});

Deno.test("bytes that are not UTF-8 are refused, not replaced", () => {
  for (const bytes of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
    assert.throws(() => utf8(Uint8Array.from(bytes)), TypeError);
  }
  // The replacement character itself, and a byte order mark, are text as any other.
  for (const text of ["a\ufffdb", "\ufeffa"]) {
    assert.equal(utf8(new TextEncoder().encode(text)), text);
  }
});

Deno.test("texts are equal when every character is", () => {
  assert.ok(sameText("", "") && sameText("\ufeffa", "\ufeffa"));
  for (
    const [one, two] of [["\ufeffa", "a"], ["\ud800", "\ufffd"], ["e\u0301", "\u00e9"], ["a", "b"]]
  ) {
    assert.ok(!sameText(one!, two!) && !sameText(two!, one!));
  }
  assert.ok(!Secret.imported("\ufeffa").equals(Secret.imported("a")));
});

Deno.test("a text for SQLite has nothing that comes back as something else", () => {
  assert.equal(storable("a\0b\ud800c\ufeffd"), "a\ufffdb\ufffdc\ufeffd");
});
