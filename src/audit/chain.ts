import { createHmac } from "node:crypto";
import type { AuditEntry, AuditRow, Head } from "./events.ts";
import { type Clock, rfc3339 } from "../core/clock.ts";
import { RekeyError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";
import { everyAuditRow } from "./reader.ts";
import { storable } from "../core/encoding.ts";

/** The previous hash of the first row. */
const CHAIN_START = "";

/**
 * The hash of a row: HMAC-SHA-256 over the previous hash and all columns, in base64url. The key makes write access to
 * the file insufficient to forge a row; the JSON array makes the bytes of different rows differ.
 */
function rowHash(key: Uint8Array, previous: string, row: Omit<AuditRow, "hash">): string {
  const { seq, time, event, version, kid, location, duration, actor, reason } = row;
  const framed = [previous, seq, time, event, version, kid, location, duration, actor, reason];
  return createHmac("sha256", key).update(JSON.stringify(framed)).digest("base64url");
}

/**
 * Appends to the audit log. Call it in the transaction of the logged operation.
 */
export class AuditWriter {
  constructor(
    private readonly sql: Sql,
    private readonly key: Uint8Array,
    private readonly actor: string,
    private readonly clock: Clock,
  ) {}

  /** Appends a row to the chain and counts it. */
  append(entry: AuditEntry): void {
    const last = this.sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1")
      .get() as { seq: number; hash: string } | undefined;
    // Hash the text that SQLite will return.
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
  for (const table of ["rekey_audit", "rekey_audit_tree", "rekey_checkpoints"]) {
    sql.prepare(`DELETE FROM ${table}`).run();
  }
  // The first row of the new chain has the number 1.
  sql.prepare("UPDATE rekey_audit_sinks SET seq = 0").run();
}

/** A row that is not as it was written, and why. */
interface ChainFault {
  readonly seq: number;
  readonly why: string;
}

/** The error for a log that is not as it was written. */
export function brokenLog({ seq, why }: ChainFault): RekeyError {
  return new RekeyError("check_failed", `The audit log is broken at row ${seq}: ${why}`, {
    hint: "Keep a copy of the database and compare it with a backup or an earlier export",
  });
}

/** Follows the chain row by row. */
export class ChainWalk {
  /** @param head the last row that is known to be valid; `null`: begin with the first one. */
  constructor(private readonly key: Uint8Array, public head: Head | null = null) {}

  /** @returns what is wrong with the next row; else it is the new head. */
  next({ hash, ...row }: AuditRow): ChainFault | undefined {
    const seq = (this.head?.seq ?? 0) + 1;
    if (row.seq !== seq) return { seq, why: "it is missing" };
    if (hash !== rowHash(this.key, this.head?.hash ?? CHAIN_START, row)) {
      return { seq, why: "it was changed, or the row before it was" };
    }
    this.head = { seq, hash };
    return undefined;
  }
}

interface ChainReport {
  readonly rows: number;
  /** The last valid row; `null` in an empty log. */
  readonly head: Head | null;
  /** The first invalid row and why; `null` if the chain is valid. */
  readonly bad: ChainFault | null;
}

/**
 * Verifies the chain, up to the first invalid row.
 *
 * @param key the audit key.
 * @param expected heads that the log must contain.
 * @param onProgress called with the number of rows every 10,000 rows.
 */
export function verifyChain(
  sql: Sql,
  key: Uint8Array,
  expected: readonly Head[] = [],
  onProgress: (rows: number) => void = () => {},
): ChainReport {
  const walk = new ChainWalk(key);
  let rows = 0;
  const report = (bad: ChainReport["bad"]): ChainReport => ({ rows, head: walk.head, bad });
  for (const row of everyAuditRow(sql)) {
    const bad = walk.next(row);
    if (bad !== undefined) return report(bad);
    if (expected.some(({ seq, hash }) => seq === row.seq && hash !== row.hash)) {
      return report({ seq: row.seq, why: "it is not the one that was expected" });
    }
    if (++rows % PROGRESS_ROWS === 0) onProgress(rows);
  }
  // A log is never empty: `init` writes the first row.
  const cut = rows === 0 || expected.some(({ seq }) => seq > rows);
  return report(cut ? { seq: rows + 1, why: "it is missing: the log was cut off" } : null);
}

const PROGRESS_ROWS = 10_000;
