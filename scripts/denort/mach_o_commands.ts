import { fieldsOf, nameAt } from "./bytes.ts";

/** Offsets in the header of a 64-bit Mach-O file. */
export const HEADER = { commands: 16, commandsSize: 20, bytes: 32 };

/** Kinds of load commands. */
export const LOAD = {
  symbols: 0x2,
  dynamicSymbols: 0xb,
  segment: 0x19,
  codeSignature: 0x1d,
  dyldInfo: 0x22,
  functionStarts: 0x26,
  dataInCode: 0x29,
  codeSignRequirements: 0x2b,
  linkerOption: 0x2d,
  optimizationHint: 0x2e,
  atomInfo: 0x36,
  dyldInfoOnly: 0x80000022,
  exportsTrie: 0x80000033,
  chainedFixups: 0x80000034,
};

/** Offsets in a command that loads a segment, and in a section's header behind it. */
export const SEGMENT = {
  address: 24,
  memorySize: 32,
  fileOffset: 40,
  fileSize: 48,
  sections: 64,
  bytes: 72,
};
export const SECTION = { bytes: 80, size: 40, fileOffset: 48 };

/** A load command: its kind, and where it is in the file. */
export interface Command {
  readonly type: number;
  readonly at: number;
  readonly size: number;
}

/** All load commands. @throws {Error} when one is too short to be one, or the file ends before. */
export function commandsOf(file: Uint8Array): Command[] {
  const fields = fieldsOf(file);
  const commands: Command[] = [];
  let at = HEADER.bytes;
  for (let count = fields.getUint32(HEADER.commands, true); count > 0; count--) {
    const size = fields.getUint32(at + 4, true);
    if (size < 8) throw new Error("A load command of the Mach-O file is too short");
    commands.push({ type: fields.getUint32(at, true), at, size });
    at += size;
  }
  return commands;
}

/** The first command of a type. @param what it tells of. @throws {Error} when there is none. */
export function commandOf(type: number, what: string, commands: readonly Command[]): Command {
  const found = commands.find((command) => command.type === type);
  if (found === undefined) throw new Error(`The Mach-O file has no ${what}`);
  return found;
}

/** The command that loads a segment. @throws {Error} when there is none of that name. */
export function segmentNamed(
  name: string,
  file: Uint8Array,
  commands: readonly Command[],
): Command {
  const found = commands.find(({ type, at }) =>
    type === LOAD.segment && nameAt(file, at + 8, 16) === name
  );
  if (found === undefined) throw new Error(`The Mach-O file has no segment ${name}`);
  return found;
}
