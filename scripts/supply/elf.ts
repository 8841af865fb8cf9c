// Offsets in the headers of 64-bit ELF files, little-endian.
const TABLE = 0x28, ENTRY_SIZE = 0x3a, ENTRIES = 0x3c, NAMES = 0x3e;

/** Content of a section of a 64-bit ELF file; `undefined` when there is none of that name. */
export function elfSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const header = (index: number) =>
    Number(view.getBigUint64(TABLE, true)) + index * view.getUint16(ENTRY_SIZE, true);
  const content = (at: number) => {
    const start = Number(view.getBigUint64(at + 0x18, true));
    return file.subarray(start, start + Number(view.getBigUint64(at + 0x20, true)));
  };
  const names = content(header(view.getUint16(NAMES, true)));
  for (let index = 0; index < view.getUint16(ENTRIES, true); index++) {
    const at = header(index);
    const start = view.getUint32(at, true);
    const found = new TextDecoder().decode(names.subarray(start, names.indexOf(0, start)));
    if (found === name) return content(at);
  }
  return undefined;
}
