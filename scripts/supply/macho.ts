import { fieldsOf, nameAt, wideField } from "../denort/bytes.ts";
import { commandsOf, LOAD, SECTION, SEGMENT } from "../denort/mach_o_commands.ts";

/** Content of a section of a 64-bit Mach-O file (macOS), whatever its segment; `undefined` when there is none. */
export function machoSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const fields = fieldsOf(file);
  for (const { type, at } of commandsOf(file)) {
    if (type !== LOAD.segment) continue;
    for (let index = 0; index < fields.getUint32(at + SEGMENT.sections, true); index++) {
      const section = at + SEGMENT.bytes + index * SECTION.bytes;
      if (nameAt(file, section, 16) !== name) continue;
      const start = fields.getUint32(section + SECTION.fileOffset, true);
      return file.subarray(start, start + wideField(fields, section + SECTION.size));
    }
  }
  return undefined;
}
