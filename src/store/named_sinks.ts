import { AuditSinks } from "../audit/sinks.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Database } from "./sqlite/database.ts";

const WAIT_MS = 100;

/**
 * Changes what is noted of sinks. It is not synchronised: after a power cut some rows are sent again. While others write,
 * it is left out.
 */
export function noteSinks(database: Database, note: (sinks: AuditSinks) => void): void {
  try {
    const sinks = new AuditSinks(database);
    database.transaction(() => note(sinks), { waitMs: WAIT_MS, durable: false });
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
  }
}

/** Adds sinks that a command names, so that they have its rows from the first one on. */
export function nameSinks(database: Database, names: readonly string[] = []): void {
  const sinks = new AuditSinks(database);
  if (names.every((name) => sinks.find(name) !== undefined)) return;
  noteSinks(database, () => sinks.name(names));
}
