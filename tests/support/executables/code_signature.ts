import { createHash } from "node:crypto";
import { cString, type MachO } from "./mach_o.ts";

// Of Apple's <cs_blobs.h>; all numbers of a signature are big-endian.
const [EMBEDDED, DIRECTORY, DIRECTORY_SLOT] = [0xfade0cc0, 0xfade0c02, 0];
const [VERSION_WITH_EXEC_SEGMENT, SHA256, SHA256_BYTES, IS_AD_HOC] = [0x20400, 2, 32, 0x2];

/** Who made a signature: no one, which says only that the file is whole, or a team that Apple knows. */
export interface Signer {
  readonly team: string | undefined;
}

/** As the build makes it. */
export const AD_HOC: Signer = { team: undefined };

interface Blob {
  readonly slot: number;
  readonly at: number;
  readonly magic: number;
  readonly length: number;
}

/**
 * Reasons why the system would not take a file's signature: each page's hash is computed. Of a team's, what vouches for
 * it (a CMS message in a part of its own) is not looked at.
 */
export function faultsOfSignature(macho: MachO, signer: Signer): string[] {
  const { file, signature } = macho;
  const { offset, bytes } = signature!;
  const word = (at: number) => file.getUint32(at);
  if (word(offset) !== EMBEDDED) return ["It is not a signature"];
  const length = word(offset + 4);
  if (length > bytes || offset + length > file.byteLength) return ["The signature is cut off"];
  const blobs: Blob[] = Array.from({ length: word(offset + 8) }, (_, i) => {
    const entry = offset + 12 + 8 * i;
    const at = offset + word(entry + 4);
    return { slot: word(entry), at, magic: word(at), length: word(at + 4) };
  });
  if (blobs.some((blob) => blob.at + blob.length > offset + length)) {
    return ["A part of the signature is cut off"];
  }
  const directory = blobs.find(({ slot }) => slot === DIRECTORY_SLOT);
  if (directory?.magic !== DIRECTORY) return ["The signature has no code directory"];
  return [
    ...faultsOfDirectory(macho, directory, signer),
    ...faultsOfParts(file, directory, blobs),
    ...faultsOfPages(macho, directory),
  ];
}

function faultsOfDirectory(
  { file, signature, segments, isExecutable }: MachO,
  { at, length }: Blob,
  { team }: Signer,
): string[] {
  const word = (offset: number) => file.getUint32(at + offset);
  const code = segments.find(({ name }) => name === "__TEXT");
  const text = (offset: number) => cString(file, at + offset, length - offset);
  const signedBy = (word(12) & IS_AD_HOC) !== 0 || word(48) === 0 ? undefined : text(word(48));
  const [limit, slots] = [word(32), word(28)];
  const range = [64, 72].map((offset) => Number(file.getBigUint64(at + offset)));
  return [
    signedBy === team ? "" : `It is signed by ${signedBy ?? "no one"}`,
    limit === signature!.offset ? "" : "Not all before the signature is signed",
    slots === Math.ceil(limit / pageBytes(file, at)) ? "" : "It has another number of pages",
    word(16) + slots * SHA256_BYTES <= length ? "" : "The hashes of the pages are cut off",
    !isExecutable || word(8) >= VERSION_WITH_EXEC_SEGMENT ? "" : "The code directory is too old",
    !isExecutable || (code?.offset === range[0] && code?.bytes === range[1])
      ? ""
      : "It names another code segment than __TEXT",
    !isExecutable || file.getBigUint64(at + 80) === 1n ? "" : "It is not the main program",
  ].filter(Boolean);
}

// Parts beside the code directory have their hashes before those of the pages, by their slots.
function faultsOfParts(file: DataView, { at }: Blob, blobs: readonly Blob[]): string[] {
  const [hashes, slots] = [file.getUint32(at + 16), file.getUint32(at + 24)];
  const parts = blobs.filter(({ slot }) => slot > DIRECTORY_SLOT && slot <= slots);
  return parts.filter((part) =>
    !hashOf(file, part.at, part.at + part.length)
      .equals(bytesOf(file, at + hashes - part.slot * SHA256_BYTES, SHA256_BYTES))
  ).map(({ slot }) => `The hash of part ${slot} is wrong`);
}

function bytesOf(file: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset + at, length);
}

function hashOf(file: DataView, from: number, to: number) {
  return createHash("sha256").update(bytesOf(file, from, to - from)).digest();
}

function pageBytes(file: DataView, directory: number): number {
  return 2 ** file.getUint8(directory + 39);
}

function faultsOfPages({ file }: MachO, { at, length }: Blob): string[] {
  if (file.getUint8(at + 36) !== SHA256_BYTES || file.getUint8(at + 37) !== SHA256) {
    return ["The pages are hashed by another algorithm"];
  }
  const [hashes, slots, limit] = [16, 28, 32].map((offset) => file.getUint32(at + offset)) as [
    number,
    number,
    number,
  ];
  const page = pageBytes(file, at);
  if (hashes + slots * SHA256_BYTES > length || limit > file.byteLength) return [];
  const wrong = Array.from({ length: slots }, (_, i) => i).filter((i) =>
    !hashOf(file, i * page, Math.min(limit, (i + 1) * page))
      .equals(bytesOf(file, at + hashes + i * SHA256_BYTES, SHA256_BYTES))
  );
  return wrong.length === 0 ? [] : [`The hash of page ${wrong[0]} is wrong (${wrong.length} are)`];
}

/** How many pages a file's signature covers. */
export function signedPages({ file, signature }: MachO): number {
  if (signature === undefined) return 0;
  const directory = signature.offset + file.getUint32(signature.offset + 16);
  return file.getUint32(directory + 28);
}
