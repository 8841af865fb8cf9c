import { type Clock, rfc3339 } from "../core/clock.ts";
import type { Sql } from "../core/sql.ts";
import { storable } from "../core/utf8.ts";
import { CHAIN_START, rowHash } from "./chain.ts";
import type { AuditEntry, AuditRow } from "./events.ts";

/**
 * Appends to the audit log. Call it inside the transaction of the operation that it tells of: then
 * both happen or neither does.
 */
export class AuditWriter {
  constructor(
    private readonly sql: Sql,
    private readonly key: Uint8Array,
    private readonly actor: string,
    private readonly clock: Clock,
  ) {}

  /** Adds a row to the chain and counts it. */
  append(entry: AuditEntry): void {
    const last = this.sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1")
      .get() as { seq: number; hash: string } | undefined;
    // Hashed as it will be read: a row that comes back as another one would look forged.
    const text = (given: string | undefined) => given === undefined ? null : storable(given);
    const row: Omit<AuditRow, "hash"> = {
      seq: (last?.seq ?? 0) + 1,
      time: rfc3339(this.clock()),
      event: entry.event,
      version: entry.version ?? null,
      kid: text(entry.kid),
      location: text(entry.location),
      duration: entry.duration ?? null,
      actor: storable(entry.actor ?? this.actor),
      reason: text(entry.reason),
    };
    const hash = rowHash(this.key, last?.hash ?? CHAIN_START, row);
    this.sql.prepare(
      `INSERT INTO rekey_audit (seq, time, event, version, kid, location, duration, actor, reason, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(...Object.values(row), hash);
    this.#count(entry.event, entry.insteadOf ?? entry.location ?? "");
  }

  // Figures must not cost more as the log grows, so they are counted as rows are written.
  #count(event: string, home: string): void {
    this.sql.prepare(
      `INSERT INTO rekey_audit_counts (event, home, count) VALUES (?, ?, 1)
       ON CONFLICT (event, home) DO UPDATE SET count = count + 1`,
    ).run(event, home);
  }
}

/** Inside a transaction: takes every row away, so that the next one begins a chain under another key. */
export function forgetLog(sql: Sql): void {
  sql.prepare("DELETE FROM rekey_audit").run();
}
