import type { Sql } from "../core/sql.ts";

/** A point of the log: whoever keeps one can tell later whether the log was cut off or rewritten. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The newest row's; `null` in an empty log. */
export function newestHead(sql: Sql): Head | null {
  const row = sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1").get();
  return row === undefined ? null : { seq: Number(row.seq), hash: String(row.hash) };
}

/** Whether the log has this row, with this hash. It says nothing of the rows before it. */
export function holdsHead(sql: Sql, { seq, hash }: Head): boolean {
  return sql.prepare("SELECT 1 FROM rekey_audit WHERE seq = ? AND hash = ?").get(seq, hash) !==
    undefined;
}

/** A head as it is printed: `SEQ:HASH`. */
export function showHead({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}

/** Reads what {@linkcode showHead} printed; `null` for anything else. */
export function readHead(text: unknown): Head | null {
  const [, seq, hash] = /^([1-9]\d{0,14}):([\w-]{43})$/.exec(String(text)) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}

/** The texts of the audit events; fixed, since people search logs for them (the guide, design §7). */
export const EVENTS = {
  created: "JWT secret created",
  retrievedFromKeyring: "JWT secret retrieved from keyring",
  retrievedFromDatabase: "JWT secret retrieved from database",
  retrievedAsFallback: "JWT secret retrieved from database (fallback)",
  retrievedFromEtcd: "JWT secret retrieved from etcd",
  rotationInitiated: "JWT secret rotation initiated",
  rotationCompleted: "JWT secret rotation completed",
  rotationRecovered: "JWT secret rotation recovered",
  rotationAnnounced: "JWT secret rotation announced",
  rotationCancelled: "JWT secret rotation cancelled",
  rotationFailed: "JWT secret rotation failed",
  rotationBlocked: "JWT secret rotation blocked",
  noticeFailed: "JWT secret rotation notice failed",
  moved: "JWT secret moved",
  backedUp: "JWT secret backed up",
  restored: "JWT secret restored",
  kekRotated: "KEK rotated",
  joined: "Fleet joined",
  retired: "JWT secret retired",
  policyChanged: "Token policy changed",
  userAdded: "User added",
  userRemoved: "User removed",
  passwordChanged: "Password changed",
  sessionsRevoked: "Sessions revoked",
  storageError: "Secret storage error",
  keyringError: "Keyring access error",
} as const;

/** One of {@linkcode EVENTS}. */
export type AuditEvent = (typeof EVENTS)[keyof typeof EVENTS];

/** What happened, as the code that did it tells it. No field may ever hold a secret or a token. */
export interface AuditEntry {
  readonly event: AuditEvent;
  readonly version?: number | undefined;
  readonly kid?: string | undefined;
  readonly location?: string | undefined;
  /** Where the version lives, when another location had to serve; counted and not stored. */
  readonly insteadOf?: string | undefined;
  /** Whole microseconds. */
  readonly duration?: number | undefined;
  /** Who did it, when that is not who writes it down. */
  readonly actor?: string | undefined;
  /** Free text of the operator, what a value is for, or the error code of a failure. */
  readonly reason?: string | undefined;
}

/** An audit row as it is stored and shown. */
export interface AuditRow {
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly event: string;
  readonly version: number | null;
  readonly kid: string | null;
  readonly location: string | null;
  /** Whole microseconds. */
  readonly duration: number | null;
  readonly actor: string;
  readonly reason: string | null;
  /** base64url HMAC-SHA-256 over the row and the hash before it. */
  readonly hash: string;
}
