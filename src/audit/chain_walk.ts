import type { ChainHashes } from "./chain_hashes.ts";
import { CHAIN_START } from "./chain.ts";
import type { Head } from "./events.ts";
import { firstRowOf, type Gap, isGap, type LogPart } from "./gaps.ts";
import { RekeyError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";

/** A row that is not as it was written, and why. */
export interface ChainFault {
  readonly seq: number;
  readonly why: string;
}

/** The error for a log that is not as it was written. */
export function brokenLog({ seq, why }: ChainFault): RekeyError {
  return new RekeyError("check_failed", `The audit log is broken at row ${seq}: ${why}`, {
    hint: "Keep a copy of the database and compare it with a backup or an earlier export",
  });
}

/** Follows the chain part by part. */
export class ChainWalk {
  /**
   * @param hashes of the log's key.
   * @param head the last row that is known to be valid; `null`: begin with the first one.
   */
  constructor(private readonly hashes: ChainHashes, public head: Head | null = null) {}

  /** @returns what is wrong with the next part; else its last row is the new head. */
  next(part: LogPart): ChainFault | undefined {
    const seq = (this.head?.seq ?? 0) + 1;
    if (firstRowOf(part) !== seq) return { seq, why: "it is missing" };
    const previous = this.head?.hash ?? CHAIN_START;
    if (isGap(part)) return this.#cross(part, previous);
    const hash = part[9];
    if (hash !== this.hashes.row(previous, part)) {
      return { seq, why: "it was changed, or the row before it was" };
    }
    this.head = { seq, hash };
    return undefined;
  }

  #cross(gap: Gap, previous: string): ChainFault | undefined {
    if (gap.seal !== this.hashes.gap(previous, gap)) {
      return { seq: gap.first, why: "it is missing, and rekey has not pruned it" };
    }
    this.head = { seq: gap.last, hash: gap.hash };
    return undefined;
  }
}

/** The row before another one, as it is stored; `null` before the first one, and if it is not there. */
export function headBefore(sql: Sql, seq: number): Head | null {
  const row = sql.prepare("SELECT seq, hash FROM rekey_audit WHERE seq = ?").get(seq - 1);
  return row === undefined ? null : { seq: seq - 1, hash: String(row.hash) };
}
