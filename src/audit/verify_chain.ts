import { isRekeyError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";
import { type ChainFault, ChainWalk, headBefore } from "./chain_walk.ts";
import { ChainHashes } from "./chain_hashes.ts";
import type { Head } from "./events.ts";
import { firstRowOf, gapWith, isGap, type LogPart } from "./gaps.ts";
import { logParts } from "./log_parts.ts";

interface ChainReport {
  /** How many rows are there, and valid. */
  readonly rows: number;
  /** How many rows were pruned. */
  readonly pruned: number;
  /** The last valid row; `null` in an empty log. */
  readonly head: Head | null;
  /** Expected heads that cannot be compared: their rows were pruned. */
  readonly unknown: readonly Head[];
  /** The first invalid row and why; `null` if the chain is valid. */
  readonly bad: ChainFault | null;
}

/**
 * Verifies the chain, up to the first invalid row.
 *
 * @param key the audit key.
 * @param expected heads that the log must contain.
 * @param onProgress called with the number of rows every 10,000 rows.
 * @throws {RekeyError} `busy` when the log is pruned all the time.
 */
export function verifyChain(
  sql: Sql,
  key: Uint8Array,
  expected: readonly Head[] = [],
  onProgress: (rows: number) => void = () => {},
): ChainReport {
  for (let tries = 1;; tries++) {
    try {
      return new Verification(key, expected, onProgress).of(sql);
    } catch (error) {
      if (tries === TRIES || !isRekeyError(error, "busy")) throw error;
    }
  }
}

const TRIES = 5;
const PROGRESS_ROWS = 10_000;

class Verification {
  readonly #walk: ChainWalk;
  readonly #unknown: Head[] = [];
  #rows = 0;
  #pruned = 0;

  constructor(
    key: Uint8Array,
    private readonly expected: readonly Head[],
    private readonly onProgress: (rows: number) => void,
  ) {
    this.#walk = new ChainWalk(new ChainHashes(key));
  }

  of(sql: Sql): ChainReport {
    let endsInGap = false;
    for (const part of logParts(sql)) {
      const bad = this.#walk.next(part) ?? this.#compare(part);
      if (bad !== undefined) return this.#report(bad);
      endsInGap = isGap(part);
      if (isGap(part)) this.#pruned += part.last - part.first + 1;
      else if (++this.#rows % PROGRESS_ROWS === 0) this.onProgress(this.#rows);
    }
    // A log is never empty: `init` writes the first row, and the newest one is never pruned.
    const end = this.#walk.head?.seq ?? 0;
    const cut = end === 0 || endsInGap || this.expected.some(({ seq }) => seq > end);
    return this.#report(cut ? { seq: end + 1, why: "it is missing: the log was cut off" } : null);
  }

  #compare(part: LogPart): ChainFault | undefined {
    if (this.expected.length === 0) return undefined;
    const { seq: last, hash: present } = this.#walk.head!;
    for (const head of this.expected) {
      if (head.seq === last && head.hash !== present) {
        return { seq: last, why: "it is not the one that was expected" };
      }
      if (head.seq >= firstRowOf(part) && head.seq < last) this.#unknown.push(head);
    }
    return undefined;
  }

  #report(bad: ChainFault | null): ChainReport {
    const { head } = this.#walk;
    return { rows: this.#rows, pruned: this.#pruned, head, unknown: this.#unknown, bad };
  }
}

/**
 * Whether the log has a row with a hash, or rekey has pruned it. Does not check earlier rows.
 *
 * @param key the audit key: another program that writes the database cannot pretend that a row was pruned.
 */
export function holdsHead(sql: Sql, key: Uint8Array, { seq, hash }: Head): boolean {
  const row = sql.prepare("SELECT hash FROM rekey_audit WHERE seq = ?").get(seq);
  if (row !== undefined) return row.hash === hash;
  const gap = gapWith(sql, seq);
  if (gap === undefined) return false;
  const walk = new ChainWalk(new ChainHashes(key), headBefore(sql, gap.first));
  return walk.next(gap) === undefined && (seq < gap.last || hash === gap.hash);
}
