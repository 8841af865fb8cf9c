import type { Sql } from "../core/sql.ts";

/** A row of the log and its hash. Kept elsewhere, it shows later whether the log was cut off or rewritten. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The head of the newest row; `null` in an empty log. */
export function newestHead(sql: Sql): Head | null {
  const row = sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1").get();
  return row === undefined ? null : { seq: Number(row.seq), hash: String(row.hash) };
}

/** Formats a head as `SEQ:HASH`. */
export function showHead({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}

/** Parses `SEQ:HASH`; `null` for anything else. */
export function readHead(text: unknown): Head | null {
  const [, seq, hash] = /^([1-9]\d{0,14}):([\w-]{43})$/.exec(String(text)) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}

/** The texts of the audit events. They never change: people search logs for them. */
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
  pruned: "Audit log pruned",
  retentionChanged: "Audit retention changed",
  userAdded: "User added",
  userRemoved: "User removed",
  passwordChanged: "Password changed",
  claimsChanged: "User claims changed",
  sessionsRevoked: "Sessions revoked",
  deliveryAdded: "Delivery added",
  deliveryRemoved: "Delivery removed",
  delivered: "Delivery followed",
  deliveryFailed: "Delivery failed",
  sinkRemoved: "Audit sink removed",
  storageError: "Secret storage error",
  keyringError: "Keyring access error",
} as const;

/** Reasons of {@linkcode EVENTS.retired}: how a version that verified has ended. They never change either. */
export const ENDS = {
  revoked: "revoked",
  graceOver: "grace window over",
  rotatedAway: "rotated away",
} as const;

/** Events of retrievals, wherever the value was. */
export const RETRIEVALS: readonly string[] = [
  EVENTS.retrievedFromKeyring,
  EVENTS.retrievedFromDatabase,
  EVENTS.retrievedAsFallback,
  EVENTS.retrievedFromEtcd,
];

/** One of {@linkcode EVENTS}. */
export type AuditEvent = (typeof EVENTS)[keyof typeof EVENTS];

/** The name of an event in {@linkcode EVENTS}, for programs; `undefined` for the text of another rekey. */
export function eventName(text: string): string | undefined {
  return Object.entries(EVENTS).find(([, event]) => event === text)?.[0];
}

/** A new audit row. No field may contain a secret or a token. */
export interface AuditEntry {
  readonly event: AuditEvent;
  readonly version?: number | undefined;
  readonly kid?: string | undefined;
  readonly location?: string | undefined;
  /** Where the version is stored, if another location was read as a fallback. Counted, not stored. */
  readonly insteadOf?: string | undefined;
  /** Whole microseconds. */
  readonly duration?: number | undefined;
  /** The actor, if it is not the one of the {@linkcode AuditWriter}. */
  readonly actor?: string | undefined;
  /** The operator's text, the purpose of a value, or an error code. */
  readonly reason?: string | undefined;
}

/** A stored audit row as its columns, in the order of {@linkcode AuditRow}: that of many rows takes less time. */
export type AuditColumns = readonly [
  seq: number,
  time: string,
  event: string,
  version: number | null,
  kid: string | null,
  location: string | null,
  duration: number | null,
  actor: string,
  reason: string | null,
  hash: string,
];

/** A stored audit row. */
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
  /** HMAC-SHA-256 over the row and the previous hash, in base64url. */
  readonly hash: string;
}
