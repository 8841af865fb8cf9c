import { adHocSignature, signatureBytes } from "./ad_hoc_signature.ts";
import { fieldsOf, partOf, roundedUp, wideField } from "./bytes.ts";
import type { Cut } from "./parts.ts";
import {
  type Command,
  commandOf,
  commandsOf,
  HEADER,
  LOAD,
  SECTION,
  SEGMENT,
  segmentNamed,
} from "./mach_o_commands.ts";

// What the linker had signed it as; the compiled program does not say it any more.
const IDENTIFIER = "denort";
const PAGE_BYTES = 0x4000;

/** Load commands that name places behind the new segment, each with where in the command they are. */
const PLACES: readonly (readonly [type: number, at: readonly number[]])[] = [
  [LOAD.symbols, [8, 16]],
  [LOAD.dynamicSymbols, [32, 40, 48, 56, 64, 72]],
  [LOAD.codeSignature, [8]],
  [LOAD.functionStarts, [8]],
  [LOAD.dataInCode, [8]],
  [LOAD.codeSignRequirements, [8]],
  [LOAD.linkerOption, [8]],
  [LOAD.optimizationHint, [8]],
  [LOAD.atomInfo, [8]],
  [LOAD.exportsTrie, [8]],
  [LOAD.chainedFixups, [8]],
  [LOAD.dyldInfo, [8, 16, 24, 32, 40]],
  [LOAD.dyldInfoOnly, [8, 16, 24, 32, 40]],
];

/** What libsui has put into the file. */
interface Inserted {
  /** The command that loads the new segment. */
  readonly command: Command;
  /** Where in the file the new segment is, and how many bytes further everything behind it came to be. */
  readonly from: number;
  readonly bytes: number;
  /** Where in memory it is. */
  readonly address: bigint;
}

/**
 * Mach-O for arm64: the program is in a segment `__SUI` in front of the last one, `__LINKEDIT`, whose content has moved
 * by its length; and the whole is signed once more, ad hoc. The signature that the linker had made is gone. It is made
 * of nothing but the file, so the same one is made here.
 */
export function cutSignedMachO(file: Uint8Array): Cut {
  const fields = fieldsOf(file);
  const commands = commandsOf(file);
  const inserted = insertedInto(file, commands);
  const { command, from, bytes } = inserted;
  const payloadBytes = wideField(fields, command.at + SEGMENT.bytes + SECTION.size);

  const signature = commandOf(LOAD.codeSignature, "signature", commands);
  const signatureFrom = fields.getUint32(signature.at + 8, true);
  const signed = signatureFrom - bytes;
  const end = signatureFrom + fields.getUint32(signature.at + 12, true);
  if (signed <= from || end !== file.length) {
    throw new Error("The signature of the Mach-O file is not at its end");
  }
  const unsigned = partOf(file, 0, signed);
  unsigned.set(partOf(file, from + bytes, signed - from), from);
  takeOut(inserted, commands, file, unsigned);
  return { denort: sign(unsigned, inserted), payload: partOf(file, from, payloadBytes) };
}

function insertedInto(file: Uint8Array, commands: readonly Command[]): Inserted {
  const fields = fieldsOf(file);
  const command = segmentNamed("__SUI", file, commands);
  return {
    command,
    from: wideField(fields, command.at + SEGMENT.fileOffset),
    bytes: wideField(fields, command.at + SEGMENT.fileSize),
    address: fields.getBigUint64(command.at + SEGMENT.address, true),
  };
}

/** Writes the header and the commands as they were. The room of one more was taken from zeros behind them. */
function takeOut(
  { command, from, bytes }: Inserted,
  commands: readonly Command[],
  file: Uint8Array,
  unsigned: Uint8Array,
): void {
  const end = HEADER.bytes + fieldsOf(file).getUint32(HEADER.commandsSize, true);
  if (firstSection(file, commands) < end) {
    throw new Error("The load commands of the Mach-O file reach into its code");
  }
  const fields = fieldsOf(unsigned);
  fields.setUint32(HEADER.commands, commands.length - 1, true);
  fields.setUint32(HEADER.commandsSize, end - HEADER.bytes - command.size, true);
  unsigned.copyWithin(command.at, command.at + command.size, end);
  unsigned.fill(0, end - command.size, end);
  for (const { type, at } of commandsOf(unsigned)) {
    const [, places = []] = PLACES.find(([one]) => one === type) ?? [];
    for (const place of places) {
      const value = fields.getUint32(at + place, true);
      if (value >= from + bytes) fields.setUint32(at + place, value - bytes, true);
    }
  }
}

/** Where in the file the first section of code or data begins. */
function firstSection(file: Uint8Array, commands: readonly Command[]): number {
  const fields = fieldsOf(file);
  const { at } = segmentNamed("__TEXT", file, commands);
  let first = Infinity;
  for (let index = 0; index < fields.getUint32(at + SEGMENT.sections, true); index++) {
    const section = at + SEGMENT.bytes + SECTION.bytes * index;
    first = Math.min(first, fields.getUint32(section + SECTION.fileOffset, true));
  }
  return first;
}

/** Puts `__LINKEDIT` back where it was, and signs. */
function sign(unsigned: Uint8Array, { from, address }: Inserted): Uint8Array<ArrayBuffer> {
  const fields = fieldsOf(unsigned);
  const commands = commandsOf(unsigned);
  const last = segmentNamed("__LINKEDIT", unsigned, commands);
  const signature = commandOf(LOAD.codeSignature, "signature", commands);
  const code = segmentNamed("__TEXT", unsigned, commands);
  const bytes = signatureBytes(unsigned.length, IDENTIFIER);
  const size = unsigned.length + bytes - from;
  fields.setBigUint64(last.at + SEGMENT.address, address, true);
  fields.setBigUint64(last.at + SEGMENT.memorySize, BigInt(roundedUp(size, PAGE_BYTES)), true);
  fields.setBigUint64(last.at + SEGMENT.fileOffset, BigInt(from), true);
  fields.setBigUint64(last.at + SEGMENT.fileSize, BigInt(size), true);
  fields.setUint32(signature.at + 12, bytes, true);
  const made = adHocSignature(unsigned, IDENTIFIER, {
    from: fields.getBigUint64(code.at + SEGMENT.fileOffset, true),
    bytes: fields.getBigUint64(code.at + SEGMENT.fileSize, true),
  });
  const denort = new Uint8Array(unsigned.length + bytes);
  denort.set(unsigned);
  denort.set(made, unsigned.length);
  return denort;
}
