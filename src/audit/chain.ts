import { createHmac } from "node:crypto";
import type { AuditRow } from "./events.ts";

/** The hash "before" the first row. */
export const CHAIN_START = "";

/**
 * The hash of a row: HMAC-SHA-256 over the hash before it and every column, in base64url. It is keyed,
 * so that write access to the file is not enough to forge a row; the columns are framed as a JSON
 * array, so that no two rows have the same bytes.
 */
export function rowHash(key: Uint8Array, previous: string, row: Omit<AuditRow, "hash">): string {
  const { seq, time, event, version, kid, location, duration, actor, reason } = row;
  const framed = [previous, seq, time, event, version, kid, location, duration, actor, reason];
  return createHmac("sha256", key).update(JSON.stringify(framed)).digest("base64url");
}
