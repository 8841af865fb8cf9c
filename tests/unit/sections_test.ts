import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { cratesIn } from "../../scripts/supply/crates.ts";
import { sectionOf } from "../../scripts/supply/sections.ts";

const CONTENT = new TextEncoder().encode("content of the section");

function file(bytes: number): [Uint8Array, DataView, (at: number, text: string) => void] {
  const file = new Uint8Array(bytes);
  const put = (at: number, text: string) => file.set(new TextEncoder().encode(text), at);
  return [file, new DataView(file.buffer), put];
}

/** A PE file with two sections, and nothing else that is looked at. */
function pe(name: string, content = CONTENT): Uint8Array {
  const [bytes, view, put] = file(1024 + content.length + 7);
  put(0, "MZ");
  view.setUint32(0x3c, 0x80, true);
  put(0x80, "PE");
  view.setUint16(0x86, 2, true);
  view.setUint16(0x94, 240, true);
  const table = 0x80 + 24 + 240;
  put(table, ".text");
  put(table + 40, name);
  view.setUint32(table + 48, content.length, true);
  // Padded on the disk.
  view.setUint32(table + 56, content.length + 7, true);
  view.setUint32(table + 60, 1024, true);
  bytes.set(content, 1024);
  return bytes;
}

/** A Mach-O file with a command of another kind and a segment of two sections. */
function macho(name: string, content = CONTENT): Uint8Array {
  const [bytes, view, put] = file(1024 + content.length);
  view.setUint32(0, 0xfeedfacf, true);
  view.setUint32(16, 2, true);
  view.setUint32(32, 0x1b, true);
  view.setUint32(36, 24, true);
  const segment = 32 + 24;
  view.setUint32(segment, 0x19, true);
  view.setUint32(segment + 4, 72 + 2 * 80, true);
  view.setUint32(segment + 64, 2, true);
  put(segment + 72, "__data");
  const section = segment + 72 + 80;
  put(section, name);
  view.setBigUint64(section + 40, BigInt(content.length), true);
  view.setUint32(section + 48, 1024, true);
  bytes.set(content, 1024);
  return bytes;
}

for (const [format, make] of [["PE", pe], ["Mach-O", macho]] as const) {
  Deno.test(`a section of a ${format} file is found by its name, to the byte`, () => {
    assert.deepEqual(sectionOf(make(".dep-v0"), ".dep-v0"), CONTENT);
    assert.equal(sectionOf(make(".dep-v0"), ".dep-v"), undefined);
    assert.equal(sectionOf(make(".dep-v"), ".dep-v0"), undefined);
    // At an offset: what is read is a view.
    const shifted = new Uint8Array([0, 0, 0, ...make(".dep-v0")]).subarray(3);
    assert.deepEqual(sectionOf(shifted, ".dep-v0"), CONTENT);
  });

  Deno.test(`a ${format} addon tells its crates`, () => {
    const list = {
      packages: [
        { name: "a", version: "1.0.0", source: "crates.io", dependencies: [1] },
        { name: "b", version: "2.0.0", source: "crates.io" },
        { name: "c", version: "3.0.0", source: "crates.io", kind: "build" },
        { name: "keyring", version: "0.0.0", source: "local" },
      ],
    };
    const packed = deflateSync(new TextEncoder().encode(JSON.stringify(list)));
    const licences = "\n| a | 1.0.0 | MIT |\n| b | 2.0.0 | ISC |\n";
    assert.deepEqual(cratesIn(make(".dep-v0", new Uint8Array(packed)), licences), [
      { name: "a", version: "1.0.0", license: "MIT", requires: ["b@2.0.0"] },
      { name: "b", version: "2.0.0", license: "ISC", requires: [] },
    ]);
  });
}

Deno.test("a file of another kind has no sections, and one that is cut off is refused", () => {
  assert.equal(sectionOf(new TextEncoder().encode("#!/bin/sh\n"), ".dep-v0"), undefined);
  assert.equal(sectionOf(new Uint8Array(), ".dep-v0"), undefined);
  for (const whole of [pe(".dep-v0"), macho(".dep-v0"), Deno.readFileSync(Deno.execPath())]) {
    for (const length of [6, 30, 63]) {
      assert.throws(() => sectionOf(whole.subarray(0, length), ".dep-v0"), String(length));
    }
  }
});
