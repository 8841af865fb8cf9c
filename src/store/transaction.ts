import type { DatabaseSync } from "node:sqlite";

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
