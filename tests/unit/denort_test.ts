import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { checkPin, elfLength } from "../../scripts/denort.ts";

/** A 64-bit ELF header whose section header table ends at `end`. */
function elf(end: number): Uint8Array {
  const file = new Uint8Array(end + 100);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2]);
  view.setBigUint64(0x28, BigInt(end - 3 * 64), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, 3, true);
  return file;
}

Deno.test("an ELF ends where its section header table ends", () => {
  assert.equal(elfLength(elf(1_000)), 1_000);
});

Deno.test("what is no 64-bit ELF has no such length", () => {
  for (const file of [new Uint8Array(10), new Uint8Array(100), elf(1_000).fill(1, 4, 5)]) {
    assert.throws(() => elfLength(file), /ELF/);
  }
});

Deno.test("a denort that differs from its pin in one bit is refused", () => {
  const file = elf(1_000);
  const sha256 = createHash("sha256").update(file).digest("hex");
  const pin = { deno: "2.5.7", package: "p@1", file: "f", bytes: file.length, sha256 };
  checkPin(file, pin);
  file[500]! ^= 1;
  assert.throws(() => checkPin(file, pin), /Refused/);
  assert.throws(() => checkPin(file.subarray(0, 900), pin), /Refused/);
});
