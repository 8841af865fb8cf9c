import { elfSection } from "./elf.ts";
import { machoSection } from "./macho.ts";
import { peSection } from "./pe.ts";

type Reader = (file: Uint8Array, name: string) => Uint8Array | undefined;

// How a file begins says which of the three it is.
const READERS: readonly (readonly [beginning: readonly number[], read: Reader])[] = [
  [[0x7f, 0x45, 0x4c, 0x46, 2], elfSection],
  [[0x4d, 0x5a], peSection],
  [[0xcf, 0xfa, 0xed, 0xfe], machoSection],
];

/**
 * Content of a section of an executable or library: 64-bit ELF, PE or Mach-O. `undefined` for another file, and when it has
 * none of that name.
 *
 * @throws {Error} when its headers lead beyond its end.
 */
export function sectionOf(file: Uint8Array, name: string): Uint8Array | undefined {
  const reader = READERS.find(([beginning]) => beginning.every((byte, at) => file[at] === byte));
  return reader?.[1](file, name);
}
