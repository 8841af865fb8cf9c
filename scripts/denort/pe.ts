import { fieldsOf, nameAt, partOf, roundedUp } from "./bytes.ts";
import type { Cut } from "./parts.ts";

// Offsets: of the place of the PE header, in the COFF header behind its signature, and in the 64-bit optional header.
const PE_HEADER = 0x3c;
const SECTIONS = 2, OPTIONAL_SIZE = 16, COFF_BYTES = 20;
const SECTION_ALIGNMENT = 32, IMAGE_SIZE = 56, RESOURCES = 128;
// In a section header.
const SECTION_BYTES = 40, ADDRESS = 12, RAW_SIZE = 16, RAW_OFFSET = 20;
// A directory of resources: a header, then entries of a name and an offset, whose highest bit says "a directory".
const DIRECTORY_BYTES = 16, LEVELS = 3;

const SECTION = ".pedata";

/** Where the fields of a PE executable are. */
interface Headers {
  readonly coff: number;
  readonly optional: number;
  readonly sections: number;
  /** The last section's header. */
  readonly last: number;
}

/**
 * PE: the program is a resource in a section of its own at the end. Adding it changes four fields, the number of
 * sections, the size of the image, and the place and length of the resources, of which denort has none.
 */
export function cutPe(file: Uint8Array): Cut {
  const headers = headersOf(file);
  const { last } = headers;
  if (nameAt(file, last, 8) !== SECTION) throw new Error(`The PE file has no section ${SECTION}`);
  const fields = fieldsOf(file);
  const [from, size] = [
    fields.getUint32(last + RAW_OFFSET, true),
    fields.getUint32(last + RAW_SIZE, true),
  ];
  if (from + size !== file.length) throw new Error(`Something follows the section ${SECTION}`);
  const address = fields.getUint32(last + ADDRESS, true);
  return {
    denort: withoutLast(partOf(file, 0, from), headers, address),
    payload: resourceIn(partOf(file, from, size), address),
  };
}

/**
 * Rounds the size of the image up to whole pages, in place. libsui before the one of Deno 2.9.4 does not, and
 * Windows Server 2022 has crashed on such a program.
 */
export function roundUpImage(file: Uint8Array): void {
  const { optional } = headersOf(file);
  const fields = fieldsOf(file);
  const alignment = fields.getUint32(optional + SECTION_ALIGNMENT, true);
  const size = fields.getUint32(optional + IMAGE_SIZE, true);
  fields.setUint32(optional + IMAGE_SIZE, roundedUp(size, alignment), true);
}

function headersOf(file: Uint8Array): Headers {
  const fields = fieldsOf(file);
  const header = fields.getUint32(PE_HEADER, true);
  if (nameAt(file, header, 4) !== "PE") throw new Error("Not a PE file");
  const coff = header + 4;
  const optional = coff + COFF_BYTES;
  if (fields.getUint16(optional, true) !== 0x20b) throw new Error("Not a 64-bit PE file");
  const sections = fields.getUint16(coff + SECTIONS, true);
  const table = optional + fields.getUint16(coff + OPTIONAL_SIZE, true);
  return { coff, optional, sections, last: table + SECTION_BYTES * (sections - 1) };
}

// The section began where the image had ended.
function withoutLast<T extends Uint8Array>(file: T, headers: Headers, imageEnd: number): T {
  const { coff, optional, sections, last } = headers;
  const fields = fieldsOf(file);
  fields.setUint16(coff + SECTIONS, sections - 1, true);
  fields.setUint32(optional + IMAGE_SIZE, imageEnd, true);
  fields.setBigUint64(optional + RESOURCES, 0n, true);
  file.fill(0, last, last + SECTION_BYTES);
  return file;
}

/** The only resource of a section; the data's entry names it by its address in memory. */
function resourceIn(section: Uint8Array, address: number): Uint8Array<ArrayBuffer> {
  const fields = fieldsOf(section);
  let at = 0;
  for (let level = 0; level < LEVELS; level++) {
    at = fields.getUint32(at + DIRECTORY_BYTES + 4, true) & 0x7fffffff;
  }
  return partOf(section, fields.getUint32(at, true) - address, fields.getUint32(at + 4, true));
}
