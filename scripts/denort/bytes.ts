/** What the readers of executables share; numbers in them are little-endian unless said otherwise. */

/** A view of the fields of a file. */
export function fieldsOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

/** A field of 64 bits as a number. @throws {RangeError} behind the file's end. */
export function wideField(fields: DataView, at: number): number {
  return Number(fields.getBigUint64(at, true));
}

/** A name in a field of fixed length, padded with zeros; empty outside the file. */
export function nameAt(file: Uint8Array, at: number, length: number): string {
  if (at < 0) return "";
  return new TextDecoder("latin1").decode(file.subarray(at, at + length)).replace(/\0.*$/s, "");
}

/** A part of a file, copied. @throws {RangeError} where the file does not have all of it. */
export function partOf(file: Uint8Array, from: number, length: number): Uint8Array<ArrayBuffer> {
  if (from < 0 || length < 0 || from + length > file.length) {
    throw new RangeError(`There are no ${length} bytes at ${from}`);
  }
  return file.slice(from, from + length);
}

/** The next multiple of `step` that is not below `value`. */
export function roundedUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
