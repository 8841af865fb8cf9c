// DER (ITU-T X.690), as far as private keys need it. The input may be anything: nothing here throws or reads beyond it.

/** Tags of the types that keys consist of. */
export const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  sequence: 0x30,
  /** `[0]` and `[1]` with values in them. */
  zero: 0xa0,
  one: 0xa1,
  /** `[1]` that replaces the tag of bits. */
  oneBits: 0x81,
} as const;

/** A value: its tag, and what is in it. */
export interface Der {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The values that bytes consist of; `undefined` unless they are whole values, each with its shortest length. */
export function derValues(bytes: Uint8Array): Der[] | undefined {
  const values: Der[] = [];
  for (let at = 0; at < bytes.length;) {
    const head = headAt(bytes, at);
    if (head === undefined || head.end > bytes.length) return undefined;
    values.push({ tag: bytes[at]!, content: bytes.subarray(head.start, head.end) });
    at = head.end;
  }
  return values;
}

// Keys have no tags beyond 30, no lengths beyond three bytes, and in DER no indefinite ones.
function headAt(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  const [tag, first] = bytes.subarray(at, at + 2);
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const size = first & 0x7f;
  const digits = bytes.subarray(at + 2, at + 2 + size);
  if (size === 0 || size > 3 || digits.length < size || digits[0] === 0) return undefined;
  const length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
  return length < 0x80 ? undefined : { start: at + 2 + size, end: at + 2 + size + length };
}

/** The values in a sequence that the bytes are; `undefined` unless they are that and nothing else. */
export function sequenceIn(bytes: Uint8Array): Der[] | undefined {
  const [value, ...more] = derValues(bytes) ?? [];
  return value?.tag === TAG.sequence && more.length === 0 ? derValues(value.content) : undefined;
}

/** The values in a sequence, or in a value with another tag; `undefined` for other values. */
export function valuesIn(value: Der | undefined, tag: number = TAG.sequence): Der[] | undefined {
  return value?.tag === tag ? derValues(value.content) : undefined;
}

/** The bytes of an octet string. */
export function octetsOf(value: Der | undefined): Uint8Array | undefined {
  return value?.tag === TAG.octets ? value.content : undefined;
}

/** The bytes of a bit string that consists of whole bytes. */
export function bitsOf(value: Der | undefined): Uint8Array | undefined {
  return value?.content[0] === 0 ? value.content.subarray(1) : undefined;
}

/** An integer that is not negative, in its shortest form. */
export function integerOf(value: Der | undefined): bigint | undefined {
  if (value?.tag !== TAG.integer) return undefined;
  const [first, second] = value.content;
  if (first === undefined || first >= 0x80) return undefined;
  if (first === 0 && second !== undefined && second < 0x80) return undefined;
  return numberOf(value.content);
}

/** An object identifier in its dotted form; `undefined` for other values. */
export function oidOf(value: Der | undefined): string | undefined {
  if (value?.tag !== TAG.oid || value.content.length === 0 || value.content.length > 32) {
    return undefined;
  }
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of value.content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [both, ...others] = arcs;
  if (both === undefined || value.content.at(-1)! >= 0x80) return undefined;
  const first = Math.min(Math.floor(both / 40), 2);
  return [first, both - first * 40, ...others].join(".");
}

/** Bytes as a number, the first byte the most significant. */
export function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
}

/** A number as bytes. @param size how many; the number fits. */
export function bytesOf(number: bigint, size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(number.toString(16).padStart(size * 2, "0"));
}
