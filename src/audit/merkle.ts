import { createHash, type Hash } from "node:crypto";

// Hashes that have taken the first byte of a leaf, or of a node: a copy is cheaper than another one.
let leaf: Hash | undefined;
let node: Hash | undefined;

function begun(byte: number): Hash {
  return createHash("sha256").update(Uint8Array.of(byte));
}

// The runtime makes a text of a digest in half the time that it takes for a buffer.
function digestOf(hash: Hash): Uint8Array {
  return Uint8Array.fromHex(hash.digest("hex"));
}

/** Hash of a leaf (RFC 9162 §2.1.1): SHA-256 over a zero byte and the entry. */
function leafHash(entry: Uint8Array | string): Uint8Array {
  return digestOf((leaf ??= begun(0)).copy().update(entry));
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return digestOf((node ??= begun(1)).copy().update(left).update(right));
}

/**
 * A run of a Merkle tree's entries (RFC 9162 §2.1.1). It keeps the hashes of the largest complete subtrees that the run
 * is made of, from left to right: about two for each binary digit of its length.
 */
export class TreeRun {
  #end: number;
  readonly #hashes: Uint8Array[] = [];

  /** @param start how many entries precede the run. */
  constructor(readonly start: number) {
    this.#end = start;
  }

  /** How many entries of the tree there are up to the end of the run. */
  get end(): number {
    return this.#end;
  }

  /** The hashes of the subtrees. */
  get hashes(): readonly Uint8Array[] {
    return this.#hashes;
  }

  /** Adds the next entry. */
  append(entry: Uint8Array | string): void {
    this.#push(leafHash(entry), 1);
  }

  /** Adds the entries of a run that begins where this one ends. */
  join(run: TreeRun): void {
    if (run.start !== this.#end) throw new Error("The runs do not meet");
    let at = 0;
    for (const width of widths(run.start, run.end)) this.#push(run.hashes[at++]!, width);
  }

  #push(hash: Uint8Array, width: number): void {
    let [at, size, whole] = [this.#end, width, hash];
    // The subtree to the left is the other half of a larger one that lies in the run.
    while ((at / size) % 2 === 1 && at - size >= this.start) {
      whole = nodeHash(this.#hashes.pop()!, whole);
      [at, size] = [at - size, size * 2];
    }
    this.#hashes.push(whole);
    this.#end += width;
  }

  /** The hashes as text, in base64, for {@linkcode TreeRun.parse}. */
  toString(): string {
    return this.#hashes.map((hash) => hash.toBase64()).join(" ");
  }

  /** @returns `undefined` for texts that no run of this place has. */
  static parse(start: number, end: number, hashes: readonly string[]): TreeRun | undefined {
    const count = [...widths(start, end)].length;
    if (hashes.length !== count || !hashes.every((hash) => HASH.test(hash))) return undefined;
    const run = new TreeRun(start);
    run.#end = end;
    run.#hashes.push(...hashes.map((hash) => Uint8Array.fromBase64(hash)));
    return run;
  }
}

// 32 bytes in base64; the unused bits of the last letter are zero (RFC 4648 §3.5).
const HASH = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** The widths of the largest complete subtrees of a run. */
function* widths(start: number, end: number): Generator<number> {
  for (let at = start; at < end;) {
    let width = 1;
    while (at % (2 * width) === 0 && at + 2 * width <= end) width *= 2;
    yield width;
    at += width;
  }
}

/** The head of a Merkle tree (RFC 9162 §2.1.1) that only grows. */
export class TreeHead {
  #run = new TreeRun(0);

  /** How many entries the tree has. */
  get size(): number {
    return this.#run.end;
  }

  /** Adds the next entry. */
  append(entry: Uint8Array | string): void {
    this.#run.append(entry);
  }

  /** Adds the next entries, of which only the hashes are known. */
  join(run: TreeRun): void {
    this.#run.join(run);
  }

  /** The hash of the whole tree; of an empty one that of no bytes. */
  root(): Uint8Array {
    if (this.size === 0) return createHash("sha256").digest();
    return this.#run.hashes.reduceRight((right, left) => nodeHash(left, right));
  }

  /** The state as text, for {@linkcode TreeHead.parse}. */
  toString(): string {
    return `${this.size} ${this.#run}`.trimEnd();
  }

  /** @returns `undefined` for a text that no tree has. */
  static parse(text: string): TreeHead | undefined {
    const [size = "", ...hashes] = text.split(" ");
    if (!/^(0|[1-9]\d{0,14})$/.test(size)) return undefined;
    const run = TreeRun.parse(0, Number(size), hashes);
    if (run === undefined) return undefined;
    const head = new TreeHead();
    head.#run = run;
    return head;
  }
}
