import { fieldsOf, nameAt } from "../denort/bytes.ts";

// Offsets in the headers of PE files, little-endian.
const SIGNATURE_AT = 0x3c, SECTIONS = 6, OPTIONAL_SIZE = 20, FIRST_TABLE = 24, ENTRY_BYTES = 40;

/** Content of a section of a PE file (Windows); `undefined` when there is none of that name. */
export function peSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = fieldsOf(file);
  const header = view.getUint32(SIGNATURE_AT, true);
  const first = header + FIRST_TABLE + view.getUint16(header + OPTIONAL_SIZE, true);
  for (let index = 0; index < view.getUint16(header + SECTIONS, true); index++) {
    const at = first + index * ENTRY_BYTES;
    if (nameAt(file, at, 8) !== name) continue;
    // On the disk it is padded.
    const bytes = Math.min(view.getUint32(at + 8, true), view.getUint32(at + 16, true));
    const start = view.getUint32(at + 20, true);
    return file.subarray(start, start + bytes);
  }
  return undefined;
}
