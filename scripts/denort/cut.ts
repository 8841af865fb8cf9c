/**
 * Gives back the `denort` that an executable of `deno compile` was made of (Deno 2.4 to 2.8, whose libsui puts the
 * program into it): each of the three formats has a file of its own that says what libsui does to it.
 */
import { fieldsOf, nameAt } from "./bytes.ts";
import { cutElf } from "./elf.ts";
import { cutMachO } from "./mach_o.ts";
import { cutPe } from "./pe.ts";
import type { Cut } from "./parts.ts";

// What a program begins with that Deno has embedded.
const PROGRAM = "d3n0l4nd";

/**
 * Cuts a compiled executable into runtime and program.
 *
 * @throws {Error} when it is no such executable, or not whole.
 */
export function cut(executable: Uint8Array): Cut {
  const parts = cutterFor(executable)(executable);
  if (nameAt(parts.payload, 0, PROGRAM.length) === PROGRAM) return parts;
  throw new Error("What is embedded in the executable is no program of Deno");
}

function cutterFor(executable: Uint8Array): (executable: Uint8Array) => Cut {
  if (executable.length < 64) throw new Error("Not an executable: too short for one");
  const magic = fieldsOf(executable).getUint32(0, true);
  const cutter = magic === 0x464c457f
    ? cutElf
    : magic === 0xfeedfacf
    ? cutMachO
    : (magic & 0xffff) === 0x5a4d
    ? cutPe
    : undefined;
  if (cutter === undefined) throw new Error("Not an ELF, Mach-O or PE executable");
  return (executable) => orNotWhole(cutter, executable);
}

// Headers that lead out of the file.
function orNotWhole(cutter: (executable: Uint8Array) => Cut, executable: Uint8Array): Cut {
  try {
    return cutter(executable);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Error("The executable is damaged or not whole", { cause });
  }
}
