import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { pinFor } from "../../scripts/denort.ts";
import { cut } from "../../scripts/denort/cut.ts";
import { binaryNameOf, nameOf, partsOf, PINNED } from "../../scripts/target.ts";
import { packedAddon } from "../support/executables/addon.ts";

const ROOT = join(import.meta.dirname!, "../..");

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

// `deno task build` has cut each runtime out of a package and compiled rekey with it.
for (const target of PINNED) {
  const name = nameOf(target);
  const binary = binaryNameOf(target);

  Deno.test(`${name}: the runtime that is cut out of rekey is the pinned one, to the last bit`, () => {
    const { denort } = cut(Deno.readFileSync(join(ROOT, "dist", binary)));
    const { bytes, sha256: pinned } = pinFor(target)!;
    assert.deepEqual([denort.length, sha256(denort)], [bytes, pinned]);
  });

  Deno.test(`${name}: its addon is in it once, and embedded where it cannot stand beside the program`, () => {
    const executable = Deno.readFileSync(join(ROOT, "dist", binary));
    const addon = Buffer.from(packedAddon(basename(partsOf(binary))));
    const whole = Buffer.from(executable.buffer);
    const first = whole.indexOf(addon);
    assert.ok(first > 0 && whole.indexOf(addon, first + 1) < 0);
    const embedded = Buffer.from(cut(executable).payload).includes(addon);
    assert.equal(embedded, !target.includes("linux"));
  });
}

Deno.test("the image of the program for Windows is whole pages", () => {
  const file = Deno.readFileSync(join(ROOT, "dist/rekey-windows-x64.exe"));
  const fields = new DataView(file.buffer);
  const optional = fields.getUint32(0x3c, true) + 24;
  assert.equal(fields.getUint32(optional + 56, true) % 0x1000, 0);
});
