import type { Sql } from "../core/sql.ts";
import { CHAIN_START, rowHash } from "./chain.ts";
import type { Head } from "./head.ts";
import { everyAuditRow } from "./reader.ts";

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
 * @param expected heads that the log must still hold.
 * @param onProgress told the number of rows now and then.
 */
export function verifyChain(
  sql: Sql,
  key: Uint8Array,
  expected: readonly Head[] = [],
  onProgress: (rows: number) => void = () => {},
): ChainReport {
  let head: Head | null = null;
  let rows = 0;
  const report = (bad: ChainReport["bad"]): ChainReport => ({ rows, head, bad });
  for (const { hash, ...row } of everyAuditRow(sql)) {
    const { seq } = row;
    if (seq !== rows + 1) return report({ seq: rows + 1, why: "it is missing" });
    if (hash !== rowHash(key, head?.hash ?? CHAIN_START, row)) {
      return report({ seq, why: "it was changed, or the row before it was" });
    }
    if (expected.some((other) => other.seq === seq && other.hash !== hash)) {
      return report({ seq, why: "it is not the one that was expected" });
    }
    head = { seq, hash };
    if (++rows % PROGRESS_ROWS === 0) onProgress(rows);
  }
  // There is a row from the first version on.
  const cut = rows === 0 || expected.some(({ seq }) => seq > rows);
  return report(cut ? { seq: rows + 1, why: "it is missing: the log was cut off" } : null);
}

const PROGRESS_ROWS = 10_000;
