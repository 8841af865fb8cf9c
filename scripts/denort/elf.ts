import { fieldsOf, nameAt, partOf, wideField } from "./bytes.ts";
import type { Cut } from "./parts.ts";

// Offsets in the header of a 64-bit ELF file: its section header table, and the size and number of the entries.
const TABLE = 0x28, ENTRY_SIZE = 0x3a, ENTRIES = 0x3c;

// What ends the file: a magic number, the hash of a name, and how many bytes are embedded, these among them.
const TRAILER = { bytes: 16, magic: 0x501e, length: 8 };

/** Length of an ELF executable without what was appended to it: it ends with its section header table. */
export function elfLength(file: Uint8Array): number {
  const fields = fieldsOf(file);
  const isElf64 = file.length >= 64 && fields.getUint32(0) === 0x7f454c46 && file[4] === 2;
  if (!isElf64) throw new Error("Not a 64-bit ELF file");
  return wideField(fields, TABLE) +
    fields.getUint16(ENTRY_SIZE, true) * fields.getUint16(ENTRIES, true);
}

/** How many bytes at the end of a compiled ELF executable are embedded; `undefined` when it does not end like one. */
export function embeddedBytes(file: Uint8Array): number | undefined {
  if (file.length < TRAILER.bytes) return undefined;
  const fields = fieldsOf(file.subarray(file.length - TRAILER.bytes));
  const bytes = wideField(fields, TRAILER.length);
  const begin = nameAt(file, file.length - bytes, 8);
  return fields.getUint32(0, true) === TRAILER.magic && begin === "d3n0l4nd" ? bytes : undefined;
}

/** ELF: the program is appended, and a trailer tells its length. Between the two `appendAddon` may have put a file. */
export function cutElf(file: Uint8Array): Cut {
  const embedded = embeddedBytes(file);
  if (embedded === undefined) throw new Error("No program of Deno is appended to the ELF file");
  return {
    denort: partOf(file, 0, elfLength(file)),
    payload: partOf(file, file.length - embedded, embedded - TRAILER.bytes),
  };
}
