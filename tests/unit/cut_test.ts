import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { cut } from "../../scripts/denort/cut.ts";
import { roundUpImage } from "../../scripts/denort/pe.ts";
import {
  elf,
  machOSigned,
  machOUnsigned,
  PAYLOAD,
  pe,
  type Sample,
} from "../support/executables/samples.ts";

const SAMPLES: readonly (readonly [name: string, sample: Sample])[] = [
  ["ELF", elf()],
  ["ELF with a file aside", elf(new TextEncoder().encode("the addon"))],
  ["PE", pe()],
  ["Mach-O for x64", machOUnsigned()],
  ["Mach-O for arm64", machOSigned()],
];

// A refusal is a sentence of our own, not an error of JavaScript's about ranges or undefined values.
const PLAIN =
  /^(Not an? |No program |The (ELF|PE|Mach-O) |The executable |The load commands |A load command |The signature |Something follows |What is embedded )/;

for (const [name, { denort, executable }] of SAMPLES) {
  Deno.test(`${name}: runtime and program are cut apart, and the executable is unchanged`, () => {
    const before = executable.slice();
    const parts = cut(executable);
    assert.deepEqual(parts.payload, PAYLOAD);
    assert.deepEqual(parts.denort, denort);
    assert.deepEqual(executable, before);
  });

  Deno.test(`${name}: cut off anywhere, it is refused`, () => {
    for (let length = 0; length < executable.length; length++) {
      assert.throws(() => cut(executable.subarray(0, length)), refused, `${length} bytes`);
    }
  });

  Deno.test(`${name}: with any byte changed it is cut or refused, without another error`, () => {
    for (let at = 0; at < executable.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = executable.slice();
        changed[at] = value;
        try {
          cut(changed);
        } catch (error) {
          assert.ok(refused(error), `byte ${at} is ${value}`);
        }
      }
    }
  });

  Deno.test(`${name}: the runtime alone has nothing to be cut from`, () => {
    assert.throws(() => cut(denort), refused);
  });
}

Deno.test("a file without an embedded Deno program is refused", () => {
  for (const [name, { executable }] of SAMPLES) {
    const changed = executable.slice();
    changed[Buffer.from(changed).indexOf(Buffer.from(PAYLOAD))]! ^= 1;
    assert.throws(() => cut(changed), refused, name);
  }
  assert.throws(
    () => cut(new TextEncoder().encode("#!/bin/sh\n".repeat(10))),
    /^Error: Not an ELF/,
  );
});

Deno.test("the image of a PE program is whole pages, and the runtime cut out of it as it was", () => {
  const { denort, executable } = pe();
  const rounded = executable.slice();
  roundUpImage(rounded);
  const imageSize = (file: Uint8Array) => new DataView(file.buffer).getUint32(0x98 + 56, true);
  assert.notEqual(imageSize(executable) % 0x1000, 0);
  assert.equal(imageSize(rounded), 0x4000);
  assert.deepEqual(cut(rounded).denort, denort);
  assert.throws(() => roundUpImage(elf().executable), /Not a PE file/);
});

function refused(error: unknown): boolean {
  return error instanceof Error && error.constructor === Error && PLAIN.test(error.message);
}
