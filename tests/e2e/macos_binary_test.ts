/** Nothing here runs macOS: its binaries are looked at as its loader would. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { signedPages } from "../support/executables/code_signature.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { faultsOf, type MachO, readMachO } from "../support/executables/mach_o.ts";
import { must } from "../../scripts/program.ts";

const DIST = join(import.meta.dirname!, "../../dist");

/** Who signs the releases of `@napi-rs/keyring`, by the number that Apple gave them. */
const ADDON_SIGNER = { team: "K3VT49H83Y" };

const EXPECTED = [
  { name: "darwin-arm64", cpu: "arm64", minimum: "11.0", isSigned: true },
  { name: "darwin-x64", cpu: "x64", minimum: "10.12", isSigned: false },
] as const;

const binaryOf = (name: string) => Deno.readFileSync(join(DIST, `rekey-${name}`));

for (const { name, cpu, minimum, isSigned } of EXPECTED) {
  Deno.test(`the binary for ${name} is one that its system starts`, () => {
    const binary = binaryOf(name);
    const macho = readMachO(binary);
    assert.ok(macho.isExecutable);
    assert.deepEqual([macho.cpu, macho.minimum], [cpu, minimum]);
    assert.deepEqual(faultsOf(binary), []);
    assert.equal(macho.signature !== undefined, isSigned);
    // All but the signature itself is signed, in pages of 4 KiB.
    if (isSigned) assert.equal(signedPages(macho), Math.ceil(macho.signature!.offset / 4096));
    assert.ok(macho.loads.length > 5 && macho.loads[0] === "/usr/lib/dyld");
  });

  Deno.test(`the addon in the build for ${name} is whole, and its maker's`, () => {
    const parts = join(DIST, `build-${name}`);
    const addon = brotliDecompressSync(Deno.readFileSync(join(parts, "keyring.node.br")));
    const sha256 = createHash("sha256").update(addon).digest("hex");
    assert.equal(Deno.readTextFileSync(join(parts, "keyring.node.sha256")).trim(), sha256);
    const bytes = new Uint8Array(addon);
    const { cpu: of, isExecutable, signature } = readMachO(bytes);
    assert.deepEqual([of, isExecutable], [cpu, false]);
    assert.ok(signature !== undefined);
    assert.deepEqual(faultsOf(bytes, ADDON_SIGNER), []);
    assert.deepEqual(faultsOf(bytes), [`It is signed by ${ADDON_SIGNER.team}`]);
    bytes[signature.offset - 1]! ^= 1;
    assert.match(faultsOf(bytes, ADDON_SIGNER).join(), /^The hash of page \d+ is wrong \(1 are\)$/);
  });
}

Deno.test("one changed byte of the binary for darwin-arm64 is a wrong hash, and the page is named", () => {
  const binary = binaryOf("darwin-arm64");
  const at = 5_000 * 4096 + 7;
  binary[at]! ^= 1;
  assert.deepEqual(faultsOf(binary), ["The hash of page 5000 is wrong (1 are)"]);
});

/** What is changed in a binary for darwin-x64, which has no signature that would notice, and what is then wrong. */
const BROKEN: [what: string, change: (macho: MachO) => void, fault: RegExp][] = [
  [
    "a segment that is not aligned",
    ({ file }) => long(file, segment(file, "__DATA") + 40, 16n),
    /__DATA is not aligned/,
  ],
  [
    "a segment over the one before it",
    ({ file }) => long(file, segment(file, "__DATA") + 40, -0x1000n),
    /__DATA overlaps the one before it in the file/,
  ],
  [
    "a segment over another's memory",
    ({ file }) => long(file, segment(file, "__DATA") + 24, -0x1000n),
    /__DATA overlaps the one before it in memory/,
  ],
  [
    "a cut-off file",
    ({ file }) => long(file, segment(file, "__LINKEDIT") + 48, 1n),
    /__LINKEDIT ends behind the file/,
  ],
  [
    "a foreign library",
    ({ file }) => text(file, "/usr/lib/libobjc", "/tmp/lib/libobjc"),
    /It loads \/tmp\/lib\/libobjc.A.dylib/,
  ],
  [
    "a library beside the program",
    ({ file }) => text(file, "/usr/lib/libobjc", "@rpath/x/libobjc"),
    /It loads @rpath/,
  ],
  [
    "another size of the commands",
    ({ file }) => file.setUint32(20, file.getUint32(20, true) + 8, true),
    /another size/,
  ],
  [
    "tables elsewhere",
    (macho) => macho.file.setUint32(symbols(macho) + 8, 4096, true),
    /table of command 2 is not in __LINKEDIT/,
  ],
];

for (const [what, change, fault] of BROKEN) {
  Deno.test(`${what} is seen in the binary for darwin-x64`, () => {
    const binary = binaryOf("darwin-x64");
    change(readMachO(binary));
    assert.match(faultsOf(binary).join("\n"), fault);
  });
}

// Where a segment's command is.
function segment(file: DataView<ArrayBuffer>, name: string): number {
  const macho = readMachO(bytesOf(file));
  const at = macho.segments.findIndex((segment) => segment.name === name);
  return macho.commands.filter(({ type }) => type === 0x19)[at]!.at;
}

function symbols({ commands }: MachO): number {
  return commands.find(({ type }) => type === 2)!.at;
}

function long(file: DataView, at: number, more: bigint): void {
  file.setBigUint64(at, file.getBigUint64(at, true) + more, true);
}

function text(file: DataView<ArrayBuffer>, from: string, to: string): void {
  const bytes = bytesOf(file);
  const at = new TextDecoder("latin1").decode(bytes.subarray(0, 16_384)).indexOf(from);
  assert.ok(at > 0 && from.length === to.length);
  bytes.set(new TextEncoder().encode(to), at);
}

function bytesOf(file: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
}

Deno.test({
  name: "another reader of such files sees the same: LLVM's",
  ignore: unless(installed("llvm-objdump"), "llvm-objdump"),
  async fn() {
    for (const { name } of EXPECTED) {
      const path = join(DIST, `rekey-${name}`);
      const said = await must("/usr/bin/llvm-objdump", ["--macho", "--private-headers", path]);
      const { loads, segments, signature } = readMachO(Deno.readFileSync(path));
      const all = (pattern: RegExp) => [...said.matchAll(pattern)].map(([, found]) => found!);
      assert.deepEqual(all(/^ +name (\S+) \(offset/gm).sort(), [...loads].sort());
      const offsets = all(/cmd LC_SEGMENT_64\n.*\n.*\n.*\n.*\n +fileoff (\d+)/g).map(Number);
      assert.deepEqual(offsets, segments.map(({ offset }) => offset));
      assert.equal(said.includes("LC_CODE_SIGNATURE"), signature !== undefined);
    }
  },
});
