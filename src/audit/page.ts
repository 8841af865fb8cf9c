import type { Sql } from "../core/sql.ts";
import type { AuditRow } from "./events.ts";
import { type AuditFilter, listAudit } from "./reader.ts";

const PAGE_ROWS = 20;

// However long the log is, a page takes a few milliseconds.
const LOOKED_AT = 20_000;

/** Some audit rows that match a filter. */
interface MatchingRows {
  /** Oldest first. */
  readonly rows: readonly AuditRow[];
  /** The filter's `before` for older rows; `null` when there are none. */
  readonly before: number | null;
}

/** The newest 20 audit rows that match, of the newest 20,000 before `filter.before`: there may be more without any here. */
export function auditPage(sql: Sql, filter: AuditFilter): MatchingRows {
  const newest = sql.prepare("SELECT max(seq) AS seq FROM rekey_audit WHERE seq < ?");
  const seqBefore = (seq: number) => newest.get(seq)?.seq as number | null | undefined ?? null;
  const first = seqBefore(filter.before ?? Number.MAX_SAFE_INTEGER);
  if (first === null) return { rows: [], before: null };
  const after = first - LOOKED_AT;
  const rows = listAudit(sql, PAGE_ROWS, { ...filter, before: first + 1, after });
  const end = rows.length === PAGE_ROWS ? rows[0]!.seq : after + 1;
  return { rows, before: seqBefore(end) === null ? null : end };
}
