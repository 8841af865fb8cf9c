import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { compactDecrypt, CompactEncrypt } from "jose";
import { openJwe } from "../../src/store/sealed/sealing.ts";

const KEY = new Uint8Array(32).fill(7);
const HEADER = { alg: "A256GCMKW", enc: "A256GCM", kid: "k", rekey: { app: "a" } };

const sealed = (text: string, header: Record<string, unknown> = HEADER) =>
  new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader(header as typeof HEADER).encrypt(KEY);

Deno.test("what jose seals opens, as it does with jose", async () => {
  for (const text of ["", "a", "ü".repeat(1000)]) {
    const jwe = await sealed(text);
    const ours = openJwe(KEY, jwe);
    const theirs = await compactDecrypt(jwe, KEY);
    assert.deepEqual([...ours.plaintext], [...theirs.plaintext]);
    assert.deepEqual(ours.header, theirs.protectedHeader);
  }
});

Deno.test("another key, and any change of a single bit, opens nothing", async () => {
  const jwe = await sealed("value");
  assert.throws(() => openJwe(new Uint8Array(32).fill(8), jwe));
  const parts = jwe.split(".");
  for (const [index, part] of parts.entries()) {
    const bytes = Buffer.from(part, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const other = parts.with(index, Buffer.from(changed).toString("base64url")).join(".");
      assert.throws(() => openJwe(KEY, other), `part ${index}, bit ${bit}`);
    }
  }
});

Deno.test("other spellings, algorithms, extensions and shapes open nothing", async () => {
  const jwe = await sealed("value");
  const parts = jwe.split(".");
  for (const index of parts.keys()) {
    for (const ending of ["=", "A", " ", "\n"]) {
      assert.throws(() => openJwe(KEY, parts.with(index, parts[index]! + ending).join(".")));
    }
    assert.throws(() => openJwe(KEY, parts.with(index, "").join(".")));
  }
  for (const shape of ["", ".", "....", "a.b.c", `${jwe}.`, jwe.slice(0, -1)]) {
    assert.throws(() => openJwe(KEY, shape));
  }
  const direct = new CompactEncrypt(new Uint8Array(1))
    .setProtectedHeader({ alg: "dir", enc: "A256GCM" });
  const other = await direct.encrypt(KEY);
  assert.throws(() => openJwe(KEY, other));
});
