import { utf8 } from "../core/encoding.ts";
import type { Checkpoint } from "./log_checkpoints.ts";
import type { Head } from "./events.ts";
import { TreeHead } from "./merkle.ts";

/** What is wrong with an export, and where. */
interface ExportFault {
  /** The number of the first row that is not as it was; of a checkpoint or head the one that it is about. */
  readonly seq: number;
  readonly why: string;
}

/** What the check of an export has found. */
export interface ExportReport {
  readonly rows: number;
  /** How many rows, from the first on, a checkpoint vouches for. */
  readonly covered: number;
  readonly head: Head | null;
  /** `null`: all rows that the checkpoints and heads vouch for are there, unchanged and in order. */
  readonly bad: ExportFault | null;
}

/**
 * Checks an export of a log, line by line, against checkpoints that its key has signed. It needs no database and no
 * secret.
 */
export class ExportCheck {
  readonly #tree = new TreeHead();
  readonly #checkpoints: readonly Checkpoint[];
  #next = 0;
  #covered = 0;
  #head: Head | null = null;
  #bad: ExportFault | null = null;

  /** @param heads of rows that the log must have, as `audit verify` and `rotate` print them. */
  constructor(checkpoints: readonly Checkpoint[], private readonly heads: readonly Head[] = []) {
    this.#checkpoints = checkpoints.toSorted((a, b) => a.size - b.size);
  }

  /** The next line, without its line feed. */
  line(bytes: Uint8Array): void {
    if (this.#bad !== null) return;
    const seq = this.#tree.size + 1;
    const head = headIn(bytes);
    if (head?.seq !== seq) {
      this.#bad = { seq, why: head === undefined ? "its line is no audit row" : "it is missing" };
      return;
    }
    this.#tree.append(bytes);
    this.#head = head;
    if (this.heads.some((one) => one.seq === seq && one.hash !== head.hash)) {
      this.#bad = { seq, why: "it is not the one that was expected" };
    }
    this.#compare();
  }

  /** After the last line. */
  end(): ExportReport {
    const rows = this.#tree.size;
    // A log is never empty: `init` writes the first row.
    const expected = [
      1,
      ...this.heads.map(({ seq }) => seq),
      ...this.#checkpoints.map(({ size }) => size),
    ];
    if (this.#bad === null && expected.some((seq) => seq > rows)) {
      this.#bad = { seq: rows + 1, why: "it is missing: the log was cut off" };
    }
    return { rows, covered: this.#covered, head: this.#head, bad: this.#bad };
  }

  // Several checkpoints may be of the same size.
  #compare(): void {
    for (; this.#checkpoints[this.#next]?.size === this.#tree.size; this.#next++) {
      const { root, size, head } = this.#checkpoints[this.#next]!;
      if (root !== this.#tree.root().toBase64() || head.hash !== this.#head?.hash) {
        const first = this.#covered + 1;
        const rows = first === size ? `row ${size}` : `one of the rows ${first} to ${size}`;
        this.#bad ??= { seq: first, why: `${rows} is not as it was signed` };
        return;
      }
      this.#covered = size;
    }
  }
}

function headIn(line: Uint8Array): Head | undefined {
  try {
    const row: unknown = JSON.parse(utf8(line));
    if (typeof row !== "object" || row === null) return undefined;
    const { seq, hash } = row as Record<string, unknown>;
    return typeof hash === "string" && Number.isSafeInteger(seq)
      ? { seq: seq as number, hash }
      : undefined;
  } catch {
    return undefined;
  }
}
