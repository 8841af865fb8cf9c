/** How long a writer waits for another one before it gives up, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5_000;

/** How a database is opened. */
export interface OpenOptions {
  /** Whether the caller already holds the database's lock. */
  readonly locked?: boolean;
  /** How long a statement waits for another process, in milliseconds; default {@linkcode BUSY_TIMEOUT_MS}. */
  readonly waitMs?: number;
  /** Called before a migration that may take seconds, with the size of the database in MB. */
  readonly onLongMigration?: ((megabytes: number) => void) | undefined;
}

/** Options of `Database.transaction`. */
export interface TransactionOptions {
  /** How long to wait for another writer, in milliseconds. */
  readonly waitMs?: number;
  /** False for a commit that a power cut may undo: it is not synced to disk. Default true. */
  readonly durable?: boolean;
}
