import { newestHead } from "../audit/events.ts";
import { auditRowsAfter } from "../audit/reader.ts";
import { AuditSinks } from "../audit/sinks.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";

/** How far a sink of the audit log is behind. */
export interface SinkFacts {
  readonly sink: string;
  /** The last row that it has had. */
  readonly seq: number;
  readonly lag_rows: number;
  /** Age of the oldest row that it has not had, in whole seconds. */
  readonly lag_seconds: number;
  /** Since when it has failed, RFC 3339; `null` while it works. */
  readonly failed_at: string | null;
  readonly error: string | null;
}

/** How far each sink is behind, by name. */
export function sinkFacts(installation: Installation): SinkFacts[] {
  const { database } = installation;
  const newest = newestHead(database)?.seq ?? 0;
  return new AuditSinks(database).all().map(({ sink, seq, failed_at, error }) => {
    const [oldest] = auditRowsAfter(database, seq, 1);
    const waited = oldest === undefined ? 0 : installation.now() - Date.parse(oldest.time);
    return {
      sink,
      seq,
      lag_rows: Math.max(newest - seq, 0),
      // A program that writes the database can put anything there for a time.
      lag_seconds: Math.max(Math.floor(waited / 1000) || 0, 0),
      failed_at: failed_at === null ? null : rfc3339(failed_at),
      error,
    };
  });
}
