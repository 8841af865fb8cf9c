import { ChainHashes } from "./chain_hashes.ts";
import type { AuditEntry } from "./events.ts";
import { type Clock, rfc3339 } from "../core/clock.ts";
import type { Sql } from "../core/sql.ts";
import { storable } from "../core/encoding.ts";

/** The previous hash of the first row. */
export const CHAIN_START = "";

/**
 * Appends to the audit log. Call it in the transaction of the logged operation.
 */
export class AuditWriter {
  readonly #hashes: ChainHashes;

  constructor(
    private readonly sql: Sql,
    key: Uint8Array,
    private readonly actor: string,
    private readonly clock: Clock,
  ) {
    this.#hashes = new ChainHashes(key);
  }

  /** Appends a row to the chain and counts it. */
  append(entry: AuditEntry): void {
    const last = this.sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1")
      .get() as { seq: number; hash: string } | undefined;
    // Hash the text that SQLite will return.
    const text = (given: string | undefined) => given === undefined ? null : storable(given);
    const row = [
      (last?.seq ?? 0) + 1,
      rfc3339(this.clock()),
      entry.event,
      entry.version ?? null,
      text(entry.kid),
      text(entry.location),
      entry.duration ?? null,
      storable(entry.actor ?? this.actor),
      text(entry.reason),
    ] as const;
    const hash = this.#hashes.row(last?.hash ?? CHAIN_START, [...row, ""]);
    this.sql.prepare(
      `INSERT INTO rekey_audit (seq, time, event, version, kid, location, duration, actor, reason, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(...row, hash);
    this.#count(entry.event, entry.insteadOf ?? entry.location ?? "");
  }

  // Counted here, so that the cost of figures does not grow with the log.
  #count(event: string, home: string): void {
    this.sql.prepare(
      `INSERT INTO rekey_audit_counts (event, home, count) VALUES (?, ?, 1)
       ON CONFLICT (event, home) DO UPDATE SET count = count + 1`,
    ).run(event, home);
  }
}

/** Deletes all rows, so that the next one begins a chain under another key. Call it in a transaction. */
export function forgetLog(sql: Sql): void {
  for (
    const table of ["rekey_audit", "rekey_audit_gaps", "rekey_audit_tree", "rekey_checkpoints"]
  ) {
    sql.prepare(`DELETE FROM ${table}`).run();
  }
  // The first row of the new chain has the number 1.
  sql.prepare("UPDATE rekey_audit_sinks SET seq = 0").run();
}
