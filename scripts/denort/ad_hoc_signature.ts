import { createHash } from "node:crypto";
import { fieldsOf, roundedUp } from "./bytes.ts";

/**
 * The signature that Apple's format calls ad hoc: hashes of the file's pages, made without a key. Here as the linker
 * LLD writes it; its numbers are big-endian.
 */
const PAGE_BYTES = 4096;
const HASH_BYTES = 32;
// A "super blob" with one entry in its index, and the fixed part of the directory of code that the entry leads to.
const BLOB = { magic: 0xfade0cc0, bytes: 20 };
const DIRECTORY = { magic: 0xfade0c02, bytes: 88, version: 0x20400 };
const FLAGS = { adHoc: 0x2, linkerSigned: 0x20000 };
const SHA256 = 2;
const PAGE_SIZE_LOG2 = 12;
const MAIN_BINARY = 1n;

/** The part of the file that is code. */
export interface CodeSegment {
  readonly from: bigint;
  readonly bytes: bigint;
}

/** Length of the signature of a file of so many bytes. */
export function signatureBytes(fileBytes: number, identifier: string): number {
  return hashesAt(identifier) + Math.ceil(fileBytes / PAGE_BYTES) * HASH_BYTES;
}

// Behind the identifier and its closing zero.
function hashesAt(identifier: string): number {
  return roundedUp(BLOB.bytes + DIRECTORY.bytes + identifier.length + 1, 16);
}

/** Makes the signature of a file that ends where the signature is to begin. @param identifier in ASCII. */
export function adHocSignature(
  file: Uint8Array,
  identifier: string,
  code: CodeSegment,
): Uint8Array<ArrayBuffer> {
  const bytes = signatureBytes(file.length, identifier);
  const signature = new Uint8Array(bytes);
  const blob = fieldsOf(signature);
  // Magic number, length, one entry: of kind 0, a directory of code, and where that is.
  [BLOB.magic, bytes, 1, 0, BLOB.bytes].forEach((field, index) => blob.setUint32(index * 4, field));
  writeDirectory(signature.subarray(BLOB.bytes), file.length, identifier, code);
  signature.set(new TextEncoder().encode(identifier), BLOB.bytes + DIRECTORY.bytes);
  let at = hashesAt(identifier);
  for (let from = 0; from < file.length; from += PAGE_BYTES, at += HASH_BYTES) {
    const page = file.subarray(from, from + PAGE_BYTES);
    signature.set(createHash("sha256").update(page).digest(), at);
  }
  return signature;
}

function writeDirectory(
  directory: Uint8Array,
  fileBytes: number,
  identifier: string,
  code: CodeSegment,
): void {
  const fields = fieldsOf(directory);
  fields.setUint32(0, DIRECTORY.magic);
  fields.setUint32(4, directory.length);
  fields.setUint32(8, DIRECTORY.version);
  fields.setUint32(12, FLAGS.adHoc | FLAGS.linkerSigned);
  fields.setUint32(16, hashesAt(identifier) - BLOB.bytes);
  fields.setUint32(20, DIRECTORY.bytes);
  // How many hashes of other things than pages; of pages; and how far the pages reach.
  fields.setUint32(24, 0);
  fields.setUint32(28, Math.ceil(fileBytes / PAGE_BYTES));
  fields.setUint32(32, fileBytes);
  fields.setUint8(36, HASH_BYTES);
  fields.setUint8(37, SHA256);
  fields.setUint8(39, PAGE_SIZE_LOG2);
  fields.setBigUint64(64, code.from);
  fields.setBigUint64(72, code.bytes);
  fields.setBigUint64(80, MAIN_BINARY);
}
