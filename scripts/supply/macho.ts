// Offsets in the load commands of 64-bit Mach-O files, little-endian.
const COMMANDS = 16, FIRST_COMMAND = 32, SEGMENT_64 = 0x19, SECTIONS = 64, FIRST_SECTION = 72;
const SECTION_BYTES = 80, SIZE = 40, OFFSET = 48;

/** Content of a section of a 64-bit Mach-O file (macOS), whatever its segment; `undefined` when there is none. */
export function machoSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let command = FIRST_COMMAND;
  for (let index = 0; index < view.getUint32(COMMANDS, true); index++) {
    const found = view.getUint32(command, true) === SEGMENT_64
      ? inSegment(file, view, command, name)
      : undefined;
    if (found !== undefined) return found;
    command += view.getUint32(command + 4, true);
  }
  return undefined;
}

function inSegment(file: Uint8Array, view: DataView, segment: number, name: string) {
  for (let index = 0; index < view.getUint32(segment + SECTIONS, true); index++) {
    const at = segment + FIRST_SECTION + index * SECTION_BYTES;
    const found = new TextDecoder("latin1").decode(file.subarray(at, at + 16)).replace(/\0.*$/, "");
    if (found !== name) continue;
    const start = view.getUint32(at + OFFSET, true);
    return file.subarray(start, start + Number(view.getBigUint64(at + SIZE, true)));
  }
  return undefined;
}
