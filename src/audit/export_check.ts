import { utf8 } from "../core/encoding.ts";
import type { Checkpoint } from "./log_checkpoints.ts";
import type { Head } from "./events.ts";
import { PrunedRanges, treeOf } from "./gaps.ts";
import { TreeHead, type TreeRun } from "./merkle.ts";
import { prunedDigest } from "./prune.ts";
import { gapLine } from "./log_parts.ts";

/** What is wrong with an export, and where. */
interface ExportFault {
  /** The number of the first row that is not as it was; of a checkpoint or head the one that it is about. */
  readonly seq: number;
  readonly why: string;
  /** When the export ends too early and is as it was up to there: the last row that was signed or is expected. */
  readonly wanted?: number;
}

/** What the check of an export has found. */
export interface ExportReport {
  /** How many rows there are. */
  readonly rows: number;
  /** Whether it begins with a line of an export, the first one or another. */
  readonly isExport: boolean;
  /** How many of them, from the first on, a checkpoint vouches for. */
  readonly covered: number;
  /** How many rows were pruned. */
  readonly pruned: number;
  /** Heads that cannot be compared: their rows were pruned. */
  readonly unknown: readonly Head[];
  readonly head: Head | null;
  /** `null`: all rows that the checkpoints and heads vouch for are there, unchanged and in order. */
  readonly bad: ExportFault | null;
}

/** The newest row that says which rows were pruned. */
interface PruneRow {
  readonly seq: number;
  readonly digest: string;
}

/**
 * Checks an export of a log, line by line, against checkpoints that its key has signed. It needs no database and no
 * secret. Rows may be missing if they were pruned: the newest row about a pruning says which ones, and a checkpoint must
 * vouch for it.
 */
export class ExportCheck {
  readonly #tree = new TreeHead();
  readonly #checkpoints: readonly Checkpoint[];
  readonly #ranges = new PrunedRanges();
  readonly #unknown: Head[] = [];
  #rows = 0;
  #isExport = false;
  #pruned = 0;
  #prune: PruneRow | undefined;
  #next = 0;
  #covered: { rows: number; seq: number } = { rows: 0, seq: 0 };
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
    const line = parsed(bytes);
    if (line === undefined) {
      this.#bad = { seq, why: "its line is no audit row" };
      return;
    }
    this.#isExport = true;
    if ("run" in line) this.#cross(seq, line.run);
    else this.#take(seq, line, bytes);
  }

  #take(seq: number, { head, digest }: RowLine, bytes: Uint8Array): void {
    if (head.seq !== seq) {
      this.#bad = { seq, why: "it is missing" };
      return;
    }
    this.#rows++;
    this.#tree.append(bytes);
    this.#head = head;
    if (digest !== undefined) this.#prune = { seq, digest };
    if (this.heads.some((one) => one.seq === seq && one.hash !== head.hash)) {
      this.#bad = { seq, why: "it is not the one that was expected" };
    }
    this.#compare();
  }

  #cross(seq: number, run: TreeRun): void {
    if (run.start !== seq - 1) {
      this.#bad = { seq, why: "it is missing" };
      return;
    }
    this.#pruned += run.end - run.start;
    this.#ranges.add({ first: seq, last: run.end });
    this.#tree.join(run);
    this.#unknown.push(...this.heads.filter((one) => one.seq >= seq && one.seq <= run.end));
    // What was signed in the middle of pruned rows cannot be compared; later checkpoints vouch for them too.
    while ((this.#checkpoints[this.#next]?.size ?? Infinity) < run.end) this.#next++;
    this.#compare();
  }

  /** After the last line. */
  end(): ExportReport {
    const end = this.#tree.size;
    // A log is never empty: `init` writes the first row.
    const expected = [
      1,
      ...this.heads.map(({ seq }) => seq),
      ...this.#checkpoints.map(({ size }) => size),
    ];
    const wanted = Math.max(...expected);
    if (wanted > end) {
      const why =
        `it is missing, and so is all up to row ${wanted}, which was signed or is expected`;
      this.#bad ??= { seq: end + 1, why, wanted };
    }
    if (this.#pruned > 0) this.#bad ??= this.#unprunedFault();
    return {
      ...{ rows: this.#rows, covered: this.#covered.rows, pruned: this.#pruned },
      ...{ unknown: this.#unknown, head: this.#head, bad: this.#bad, isExport: this.#isExport },
    };
  }

  #unprunedFault(): ExportFault | null {
    const seq = this.#prune?.seq ?? 1;
    if (this.#prune?.digest !== this.#ranges.digest()) {
      return { seq, why: "rows are missing that the log does not name as pruned" };
    }
    return seq <= this.#covered.seq
      ? null
      : { seq, why: "it names the pruned rows, and no checkpoint vouches for it" };
  }

  // Several checkpoints may be of the same size.
  #compare(): void {
    for (; this.#checkpoints[this.#next]?.size === this.#tree.size; this.#next++) {
      const { root, size, head } = this.#checkpoints[this.#next]!;
      const isHead = this.#head?.seq !== size || head.hash === this.#head.hash;
      if (root !== this.#tree.root().toBase64() || !isHead) {
        const first = this.#covered.seq + 1;
        const rows = first === size ? `row ${size}` : `one of the rows ${first} to ${size}`;
        this.#bad ??= { seq: first, why: `${rows} is not as it was signed` };
        return;
      }
      this.#covered = { rows: this.#rows, seq: size };
    }
  }
}

interface RowLine {
  readonly head: Head;
  /** Of the gaps, in a row about a pruning. */
  readonly digest: string | undefined;
}

function parsed(line: Uint8Array): RowLine | { run: TreeRun } | undefined {
  try {
    const row: unknown = JSON.parse(utf8(line));
    if (typeof row !== "object" || row === null) return undefined;
    return "pruned" in row ? gapIn(row, line) : rowIn({ ...row });
  } catch {
    return undefined;
  }
}

function rowIn(row: Record<string, unknown>): RowLine | undefined {
  const { seq, hash } = row;
  return typeof hash === "string" && Number.isSafeInteger(seq)
    ? { head: { seq: Number(seq), hash }, digest: prunedDigest(row) }
    : undefined;
}

// No checkpoint is signed over a gap's line: with anything more in it, it could pass for a row.
function gapIn({ pruned, tree }: Record<string, unknown>, line: Uint8Array) {
  const isGap = Array.isArray(pruned) && Array.isArray(tree) && pruned.length === 2;
  if (!isGap || !tree.every((hash) => typeof hash === "string")) return undefined;
  const gap = { first: pruned[0], last: pruned[1], tree: tree.join(" ") };
  const run = treeOf(gap);
  return run && utf8(line) === gapLine(gap) ? { run } : undefined;
}
