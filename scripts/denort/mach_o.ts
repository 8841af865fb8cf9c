import { fieldsOf, partOf, roundedUp, wideField } from "./bytes.ts";
import type { Cut } from "./parts.ts";
import { cutSignedMachO } from "./mach_o_signed.ts";
import {
  type Command,
  commandOf,
  commandsOf,
  LOAD,
  SEGMENT,
  segmentNamed,
} from "./mach_o_commands.ts";

const CPU_ARM64 = 0x0100000c;
// In the command that tells of the symbol table: where the names are, and how long they are.
const NAMES_AT = 16, NAMES_SIZE = 20;

/** Mach-O for either processor: only on arm64 must a program be signed, and there it is put in by another way. */
export function cutMachO(file: Uint8Array): Cut {
  return fieldsOf(file).getUint32(4, true) === CPU_ARM64 ? cutSignedMachO(file) : cutUnsigned(file);
}

// A text and a number that stand in front of the payload's length.
const SENTINEL = new Uint8Array([
  ...new TextEncoder().encode("<~sui-data~>"),
  ...[0xef, 0xbe, 0xad, 0xde],
]);

/**
 * Mach-O without a signature: a sentinel, the length and the payload are appended, and the last segment and the symbols'
 * names are said to reach to the new end.
 */
function cutUnsigned(file: Uint8Array): Cut {
  const at = lastPlaceOf(SENTINEL, file);
  if (at === undefined) throw new Error("No program is appended to the Mach-O file");
  const from = at + SENTINEL.length + 8;
  const length = wideField(fieldsOf(file), at + SENTINEL.length);
  if (from + length !== file.length) {
    throw new Error("Something follows the program in the Mach-O file");
  }
  const denort = partOf(file, 0, at);
  const commands = commandsOf(denort);
  if (commands.some(({ type }) => type === LOAD.codeSignature)) {
    throw new Error("The Mach-O file was signed later");
  }
  endAt(denort, commands);
  return { denort, payload: partOf(file, from, length) };
}

/** Says that the last segment and the names end with the file. */
function endAt(file: Uint8Array, commands: readonly Command[]): void {
  const fields = fieldsOf(file);
  const { at } = segmentNamed("__LINKEDIT", file, commands);
  const size = file.length - wideField(fields, at + SEGMENT.fileOffset);
  fields.setBigUint64(at + SEGMENT.memorySize, BigInt(roundedUp(size, 0x1000)), true);
  fields.setBigUint64(at + SEGMENT.fileSize, BigInt(size), true);
  const symbols = commandOf(LOAD.symbols, "symbol table", commands);
  const names = fields.getUint32(symbols.at + NAMES_AT, true);
  fields.setUint32(symbols.at + NAMES_SIZE, file.length - names, true);
}

function lastPlaceOf(wanted: Uint8Array, file: Uint8Array): number | undefined {
  for (let at = file.lastIndexOf(wanted[0]!); at >= 0; at = file.lastIndexOf(wanted[0]!, at - 1)) {
    if (wanted.every((byte, place) => file[at + place] === byte)) return at;
    if (at === 0) break;
  }
  return undefined;
}
