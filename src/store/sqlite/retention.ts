import type { Meta } from "./meta.ts";

/** How long this machine keeps audit rows, in seconds; `undefined`: forever. */
export interface Retention {
  /** All rows. */
  readonly all?: number | undefined;
  /** Retrievals, and rows about prunings. */
  readonly retrievals?: number | undefined;
}

/** Parts of a retention, as flags name them. */
export const RETENTION_PARTS = ["audit-retention", "retrievals-retention"] as const;
export type RetentionPart = (typeof RETENTION_PARTS)[number];

/** Shortest time, in seconds: a day. */
export const LEAST_RETENTION_SECONDS = 86_400;

/** A retention, and the seal that the log's key has put on its {@linkcode textToSeal}. */
export interface StoredRetention extends Retention {
  readonly seal?: string | undefined;
}

/** What is sealed of a retention; equal ones have equal texts. */
export function textToSeal({ all, retrievals }: Retention): string {
  return JSON.stringify({ all, retrievals });
}

/** @throws {RekeyError} `database_damaged` when the row cannot be read. */
export function readRetention(meta: Meta): StoredRetention {
  const hint = "Restore the database from a backup, or set it again: " +
    "`rekey policy clear audit-retention retrievals-retention`";
  return meta.json("audit_retention", isRetention, hint) ?? {};
}

/** Inside a transaction: sets how long rows are kept. Returns whether that changed. */
export function writeRetention(meta: Meta, retention: StoredRetention): boolean {
  const { all, retrievals, seal } = retention;
  const isNone = all === undefined && retrievals === undefined;
  const text = isNone ? undefined : JSON.stringify({ all, retrievals, seal });
  if (text === meta.get("audit_retention")) return false;
  if (text === undefined) meta.remove("audit_retention");
  else meta.set("audit_retention", text);
  return true;
}

function isRetention(value: unknown): value is StoredRetention {
  if (typeof value !== "object" || value === null) return false;
  const { all, retrievals, seal } = value as Record<string, unknown>;
  return typeof seal === "string" && [all, retrievals].every((seconds) =>
    seconds === undefined ||
    (Number.isSafeInteger(seconds) && Number(seconds) >= LEAST_RETENTION_SECONDS)
  );
}
