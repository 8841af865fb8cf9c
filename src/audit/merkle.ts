import { createHash } from "node:crypto";

const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];

/** Hash of a leaf (RFC 9162 §2.1.1): SHA-256 over a zero byte and the entry. */
function leafHash(entry: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(LEAF).update(entry).digest();
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash("sha256").update(NODE).update(left).update(right).digest();
}

/**
 * The head of a Merkle tree (RFC 9162 §2.1.1) that only grows. It keeps the roots of the complete subtrees: as many as
 * the size has ones in binary.
 */
export class TreeHead {
  #size = 0;
  readonly #roots: Uint8Array[] = [];

  /** How many entries the tree has. */
  get size(): number {
    return this.#size;
  }

  /** Adds the next entry. */
  append(entry: Uint8Array | string): void {
    let hash = leafHash(entry);
    for (let size = this.#size; size % 2 === 1; size = (size - 1) / 2) {
      hash = nodeHash(this.#roots.pop()!, hash);
    }
    this.#roots.push(hash);
    this.#size++;
  }

  /** The hash of the whole tree; of an empty one that of no bytes. */
  root(): Uint8Array {
    if (this.#size === 0) return createHash("sha256").digest();
    return this.#roots.reduceRight((right, left) => nodeHash(left, right));
  }

  /** The state as text, for {@linkcode TreeHead.parse}. */
  toString(): string {
    return [this.#size, ...this.#roots.map((hash) => hash.toBase64())].join(" ");
  }

  /** @returns `undefined` for a text that no tree has. */
  static parse(text: string): TreeHead | undefined {
    const [size = "", ...roots] = text.split(" ");
    if (!/^(0|[1-9]\d{0,14})$/.test(size)) return undefined;
    const head = new TreeHead();
    head.#size = Number(size);
    const ones = head.#size.toString(2).replaceAll("0", "").length;
    if (roots.length !== ones || !roots.every((root) => /^[A-Za-z0-9+/]{43}=$/.test(root))) {
      return undefined;
    }
    head.#roots.push(...roots.map((root) => Uint8Array.fromBase64(root)));
    return head;
  }
}
