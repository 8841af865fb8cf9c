import { newestHead } from "./events.ts";
import type { Sql } from "../core/sql.ts";

/** How far a sink of the audit log has come. */
export interface SinkCursor {
  /** `journal`, `syslog`, `syslog:PATH`, `fd:N` or the path of a file. */
  readonly sink: string;
  /** The last row that it has had. */
  readonly seq: number;
  /** Since when it has failed, milliseconds since the epoch; `null` while it works. */
  readonly failed_at: number | null;
  /** Why it has failed. */
  readonly error: string | null;
}

// Programs that write the database can put anything there. A sink that seems to have rows that are not written yet would
// never get them, and a number that JavaScript does not have would end each command: such a sink begins with the first row.
const SEQ = `CASE WHEN seq BETWEEN 0 AND (SELECT coalesce(max(seq), 0) FROM rekey_audit)
  THEN seq ELSE 0 END`;

const FAILED_AT = `CASE WHEN failed_at BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER} THEN failed_at END`;

/** The rows of `rekey_audit_sinks`. Methods that change rows belong inside a transaction. */
export class AuditSinks {
  constructor(private readonly sql: Sql) {}

  /** All sinks, by name. */
  all(): SinkCursor[] {
    const rows = this.sql.prepare(
      `SELECT sink, ${SEQ} AS seq, ${FAILED_AT} AS failed_at, error
       FROM rekey_audit_sinks ORDER BY sink`,
    ).all();
    return rows.map((row) => ({ ...row }) as unknown as SinkCursor);
  }

  /** One sink; `undefined` when it was never named, or was removed. */
  find(sink: string): SinkCursor | undefined {
    return this.all().find((one) => one.sink === sink);
  }

  /** Adds those that are not there yet: the next row is the first that they are to have. */
  name(sinks: readonly string[]): void {
    for (const sink of sinks) this.add(sink, newestHead(this.sql)?.seq ?? 0);
  }

  /** Adds a sink that has had all rows up to `seq`; one that is there stays as it is. */
  add(sink: string, seq: number): void {
    this.sql.prepare("INSERT OR IGNORE INTO rekey_audit_sinks (sink, seq) VALUES (?, ?)")
      .run(sink, seq);
  }

  /** Notes that a sink has had all rows up to `seq`. */
  sent(sink: string, seq: number): void {
    this.sql.prepare(
      "UPDATE rekey_audit_sinks SET seq = ?, failed_at = NULL, error = NULL WHERE sink = ?",
    ).run(seq, sink);
  }

  /** Notes why a sink has failed. The time of the first failure stays. */
  failed(sink: string, at: number, error: string): void {
    this.sql.prepare(
      "UPDATE rekey_audit_sinks SET failed_at = coalesce(failed_at, ?), error = ? WHERE sink = ?",
    ).run(at, error, sink);
  }

  /** Removes a sink. @returns whether it was there. */
  remove(sink: string): boolean {
    return this.sql.prepare("DELETE FROM rekey_audit_sinks WHERE sink = ?").run(sink) > 0;
  }

  /** For another log in the place of the one that was sent: each sink goes on with its newest row. */
  beginAgain(): void {
    this.sql.prepare(
      `UPDATE rekey_audit_sinks SET failed_at = NULL, error = NULL,
         seq = coalesce((SELECT max(seq) FROM rekey_audit), 1) - 1`,
    ).run();
  }
}

/** The last row that every sink has had: rows up to it may be pruned; `undefined` without sinks. */
export function lastSentToAll(sql: Sql): number | undefined {
  const seq = sql.prepare(`SELECT min(${SEQ}) AS seq FROM rekey_audit_sinks`).get()?.seq;
  return seq == null ? undefined : Number(seq);
}
