import { utf8 } from "../../../core/encoding.ts";

/** The bus cannot be reached, or sent something that the D-Bus specification or the call does not allow. */
export class BusError extends Error {
  /** Whether the answer of a call is an error. */
  readonly isRefusal: boolean = false;

  static refusal(): BusError {
    return Object.assign(new BusError("The call was refused"), { isRefusal: true });
  }
}

/** Encodes values in D-Bus's wire format, little endian. */
export class Writer {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  align(to: number): this {
    while (this.length % to !== 0) this.#bytes.push(0);
    return this;
  }

  byte(...values: number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  uint32(value: number): this {
    return this.align(4).byte(...new Uint8Array(Uint32Array.of(value).buffer));
  }

  int32(value: number): this {
    return this.align(4).byte(...new Uint8Array(Int32Array.of(value).buffer));
  }

  int64(value: bigint): this {
    return this.align(8).byte(...new Uint8Array(BigInt64Array.of(value).buffer));
  }

  /** A string, or an object path. */
  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.uint32(bytes.length).byte(...bytes, 0);
  }

  signature(text: string): this {
    return this.byte(text.length, ...new TextEncoder().encode(text), 0);
  }

  byteArray(bytes: Uint8Array): this {
    return this.uint32(bytes.length).byte(...bytes);
  }

  boolean(value: boolean): this {
    return this.uint32(value ? 1 : 0);
  }

  /** An array of object paths. */
  objectPaths(paths: readonly string[]): this {
    const at = this.uint32(0).length - 4;
    for (const path of paths) this.string(path);
    this.#bytes.splice(at, 4, ...new Writer().uint32(this.length - at - 4).#bytes);
    return this;
  }

  /** An array of structures or dictionary entries; each element begins at a multiple of 8. */
  structs(elements: readonly ((writer: Writer) => void)[]): this {
    const at = this.uint32(0).length - 4;
    const start = this.align(8).length;
    for (const element of elements) element(this.align(8));
    this.#bytes.splice(at, 4, ...new Writer().uint32(this.length - start).#bytes);
    return this;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

/** Decodes values in D-Bus's wire format, little endian. @throws {BusError} for anything else. */
export class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(private readonly data: Uint8Array) {
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Number of bytes that were read. */
  get position(): number {
    return this.#at;
  }

  /** The next bytes: a view of the received ones, not a copy. */
  take(count: number): Uint8Array {
    if (count > this.data.length - this.#at) throw new BusError("A message ends too early");
    return this.data.subarray(this.#at, this.#at += count);
  }

  align(to: number): void {
    const padding = this.take((to - this.#at % to) % to);
    if (padding.some((byte) => byte !== 0)) throw new BusError("Padding is not zero");
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  uint32(): number {
    this.align(4);
    const at = this.#at;
    this.take(4);
    return this.#view.getUint32(at, true);
  }

  int32(): number {
    return this.uint32() | 0;
  }

  boolean(): boolean {
    return this.uint32() !== 0;
  }

  string(): string {
    return this.#text(this.uint32());
  }

  signature(): string {
    return this.#text(this.byte());
  }

  objectPath(): string {
    const path = this.string();
    if (!/^\/$|^(\/\w+)+$/.test(path)) throw new BusError("An object path is not valid");
    return path;
  }

  /** Begins a variant, whose value must have this signature. */
  variant(signature: string): this {
    if (this.signature() !== signature) throw new BusError("A variant has another type");
    return this;
  }

  byteArray(): Uint8Array {
    return this.take(this.uint32());
  }

  objectPaths(): string[] {
    const paths: string[] = [];
    const end = this.uint32() + this.#at;
    while (this.#at < end) paths.push(this.objectPath());
    if (this.#at !== end) throw new BusError("An array has another length than it declares");
    return paths;
  }

  end(): void {
    if (this.#at !== this.data.length) throw new BusError("A message is too long");
  }

  #text(length: number): string {
    const bytes = this.take(length);
    if (bytes.includes(0) || this.byte() !== 0) {
      throw new BusError("A string has another length than it declares");
    }
    return busText(bytes);
  }
}

/** Decodes UTF-8. @throws {BusError} when the bytes are not UTF-8. */
export function busText(bytes: Uint8Array): string {
  try {
    return utf8(bytes);
  } catch (cause) {
    throw new BusError("A string is not UTF-8", { cause });
  }
}
