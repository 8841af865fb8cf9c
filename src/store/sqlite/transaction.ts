import type { DatabaseSync } from "node:sqlite";

/** A number that SQLite tells of a database. */
export function pragma(
  sqlite: DatabaseSync,
  name: "freelist_count" | "page_size" | "user_version",
): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()![name]);
}

/**
 * Statements for a connection that writes. On macOS a commit and a checkpoint would have ended when they are in the
 * drive's own memory, and a power cut would take them; elsewhere there is one way to write to a disk, and these change
 * nothing.
 */
export const FULL_SYNC = "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON";

/** Runs `work` in one `BEGIN IMMEDIATE` transaction: all of it is committed, or nothing is. */
export function whole<T>(sqlite: DatabaseSync, work: () => T): T {
  sqlite.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    sqlite.exec("COMMIT");
    return result;
  } catch (error) {
    rollBack(sqlite);
    throw error;
  }
}

// SQLite has rolled back by itself after some errors, a full disk among them.
function rollBack(sqlite: DatabaseSync): void {
  try {
    sqlite.exec("ROLLBACK");
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("no transaction is active"))) {
      throw error;
    }
  }
}
