/**
 * The smallest executables that a program of Deno can be in, each as libsui leaves it, and what it was before. They are
 * not made to run: what must fit is what a reader of their headers sees.
 */
import { adHocSignature, signatureBytes } from "../../../scripts/denort/ad_hoc_signature.ts";
import { roundedUp } from "../../../scripts/denort/bytes.ts";

/** A sample. */
export interface Sample {
  readonly denort: Uint8Array;
  readonly executable: Uint8Array;
}

/** What is put into each of them. */
export const PAYLOAD = new TextEncoder().encode("d3n0l4nd, and a program of some length.");

const PAYLOAD_ADDRESS = 0x2000;

/** A file that fields and texts are written to. */
class Image {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(length: number, before: Uint8Array = new Uint8Array()) {
    this.bytes = new Uint8Array(length);
    this.bytes.set(before.subarray(0, length));
    this.#view = new DataView(this.bytes.buffer);
  }

  put16(at: number, ...values: number[]): this {
    values.forEach((value, index) => this.#view.setUint16(at + 2 * index, value, true));
    return this;
  }

  put32(at: number, ...values: number[]): this {
    values.forEach((value, index) => this.#view.setUint32(at + 4 * index, value, true));
    return this;
  }

  put64(at: number, ...values: number[]): this {
    values.forEach((value, index) => this.#view.setBigUint64(at + 8 * index, BigInt(value), true));
    return this;
  }

  put(at: number, content: string | Uint8Array): this {
    this.bytes.set(typeof content === "string" ? new TextEncoder().encode(content) : content, at);
    return this;
  }
}

/** ELF for either processor. @param aside put between the runtime and what is embedded. */
export function elf(aside = new Uint8Array()): Sample {
  const [table, end] = [0x80, 0x140];
  const denort = new Image(end).put(0, "\x7fELF\x02").put64(0x28, table).put16(0x3a, 64, 3);
  denort.put(0x40, "the runtime");
  const from = end + aside.length;
  const executable = new Image(from + PAYLOAD.length + 16, denort.bytes)
    .put(end, aside).put(from, PAYLOAD)
    .put32(from + PAYLOAD.length, 0x501e).put64(from + PAYLOAD.length + 8, PAYLOAD.length + 16);
  return { denort: denort.bytes, executable: executable.bytes };
}

/** PE. */
export function pe(): Sample {
  const [header, optional, end, address] = [0x80, 0x98, 0x300, 0x3000];
  const table = optional + 0xf0;
  const denort = new Image(end).put(0, "MZ").put32(0x3c, header).put(header, "PE")
    .put16(header + 6, 1).put16(header + 20, 0xf0)
    .put16(optional, 0x20b).put32(optional + 32, 0x1000).put32(optional + 56, address)
    .put(table, ".text").put32(table + 8, 0x100, 0x1000, 0x100, 0x200).put(0x200, "the runtime");
  const entry = 3 * 24;
  const size = entry + 16 + PAYLOAD.length;
  const executable = new Image(end + size, denort.bytes)
    .put16(header + 6, 2).put32(optional + 56, address + size)
    .put32(optional + 128, address, size)
    .put(table + 40, ".pedata").put32(table + 48, size, address, size, end);
  // Two directories that lead to directories, and one that leads to the entry of the data.
  [24 | 0x80000000, 48 | 0x80000000, entry].forEach((next, level) =>
    executable.put32(end + level * 24 + 20, next)
  );
  executable.put32(end + entry, address + entry + 16, PAYLOAD.length);
  executable.put(end + entry + 16, PAYLOAD);
  return { denort: denort.bytes, executable: executable.bytes };
}

const CPU_X64 = 0x01000007, CPU_ARM64 = 0x0100000c;

function machO(cpu: number, length: number, commands: number, commandBytes: number): Image {
  return new Image(length).put32(0, 0xfeedfacf, cpu).put32(16, commands, commandBytes);
}

function putSegment(
  image: Image,
  at: number,
  name: string,
  [address, memory, from, bytes]: readonly [number, number, number, number],
  sections = 0,
): void {
  image.put32(at, 0x19, 72 + 80 * sections).put(at + 8, name)
    .put64(at + 24, address, memory, from, bytes).put32(at + 64, sections);
}

/** Mach-O for x64, without a signature. */
export function machOUnsigned(): Sample {
  const [last, symbols, from, end] = [32, 104, 0x100, 0x180];
  const denort = machO(CPU_X64, end, 2, 96);
  putSegment(denort, last, "__LINKEDIT", [0x1000, 0x1000, from, end - from]);
  denort.put32(symbols, 2, 24, from, 1, 0x140, end - 0x140).put(from, "symbols").put(
    0x140,
    "names",
  );
  const length = end + 24 + PAYLOAD.length;
  const executable = new Image(length, denort.bytes)
    .put(end, "<~sui-data~>").put32(end + 12, 0xdeadbeef).put64(end + 16, PAYLOAD.length)
    .put(end + 24, PAYLOAD)
    .put64(last + 48, length - from).put32(symbols + 20, length - 0x140);
  return { denort: denort.bytes, executable: executable.bytes };
}

/** Mach-O for arm64, signed. */
export function machOSigned(): Sample {
  const [from, signed] = [0x400, 0x480];
  const before = signedImage(from, signed, 0);
  const moved = 0x100;
  const after = signedImage(from, signed, moved);
  return { denort: withSignature(before.bytes), executable: withSignature(after.bytes) };
}

/** @param moved length of the payload's segment, in front of the last one; 0 for none. */
function signedImage(from: number, signed: number, moved: number): Image {
  const added = moved === 0 ? 0 : 152;
  const image = machO(CPU_ARM64, signed + moved, added === 0 ? 4 : 5, 264 + added);
  putSegment(image, 32, "__TEXT", [0, 0x1000, 0, from], 1);
  image.put32(32 + 72 + 48, 0x300).put(0x300, "the runtime");
  let at = 32 + 152;
  if (added > 0) {
    putSegment(image, at, "__SUI", [PAYLOAD_ADDRESS, moved, from, moved], 1);
    image.put64(at + 72 + 40, PAYLOAD.length).put(from, PAYLOAD);
    at += added;
  }
  const size = signed - from + signatureBytes(signed + moved, "denort");
  const address = PAYLOAD_ADDRESS + moved;
  putSegment(image, at, "__LINKEDIT", [address, roundedUp(size, 0x4000), from + moved, size]);
  image.put32(at + 72, 2, 24, from + moved, 1, from + moved + 0x40, 0x40);
  image.put32(at + 96, 0x1d, 16, signed + moved, signatureBytes(signed + moved, "denort"));
  return image.put(from + moved, "symbols");
}

function withSignature(unsigned: Uint8Array): Uint8Array {
  const code = { from: 0n, bytes: 0x400n };
  const signature = adHocSignature(unsigned, "denort", code);
  return new Image(unsigned.length + signature.length, unsigned).put(unsigned.length, signature)
    .bytes;
}
