import type { Sql } from "../core/sql.ts";
import { CHAIN_START, rowHash } from "./chain.ts";
import { everyAuditRow } from "./reader.ts";

/** A point of the log: whoever keeps one can tell later whether the log was cut off or rewritten. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What verifying the log found. */
export interface ChainReport {
  readonly rows: number;
  /** The newest good row; `null` in an empty log. */
  readonly head: Head | null;
  /** The first bad row and why; `null` when the chain holds. */
  readonly bad: { readonly seq: number; readonly why: string } | null;
}

/**
 * Recomputes the chain from its first row on, up to the first row that is bad.
 *
 * @param key the audit key.
 * @param expected a head that the log must still hold.
 */
export function verifyChain(sql: Sql, key: Uint8Array, expected?: Head): ChainReport {
  let head: Head | null = null;
  let rows = 0;
  const report = (bad: ChainReport["bad"]): ChainReport => ({ rows, head, bad });
  for (const { hash, ...row } of everyAuditRow(sql)) {
    const { seq } = row;
    if (seq !== rows + 1) return report({ seq: rows + 1, why: "it is missing" });
    if (hash !== rowHash(key, head?.hash ?? CHAIN_START, row)) {
      return report({ seq, why: "it was changed, or the row before it was" });
    }
    if (seq === expected?.seq && hash !== expected.hash) {
      return report({ seq, why: "it is not the one that was expected" });
    }
    head = { seq, hash };
    rows++;
  }
  const cut = expected !== undefined && expected.seq > rows;
  return report(cut ? { seq: rows + 1, why: "it is missing: the log was cut off" } : null);
}
