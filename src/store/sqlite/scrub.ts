import type { Database } from "./database.ts";
import type { Meta } from "./meta.ts";
import { removeMigrationCopies } from "./migration_copy.ts";

// SQLite refuses a value of more than a gigabyte.
const WIPE_BYTES = 64 * 2 ** 20;

/** Wipes destroyed and formerly plain values from free pages and the write-ahead log, if a transaction asked for it. */
export function scrub(
  { database, meta }: { readonly database: Database; readonly meta: Meta },
  waitMs?: number,
): void {
  const pending = meta.get("scrub_pending");
  if (pending === undefined) return;
  // They have the values sealed that are to be in no file any more.
  removeMigrationCopies(database.path);
  if (pending === "file") wipeFreePages(database);
  if (!database.truncateLog(waitMs)) return;
  // No wait for the disk: without this row's removal the next command only does the same again.
  database.transaction(() => meta.remove("scrub_pending"), { durable: false });
}

/**
 * Overwrites unused pages with zeros, since another program may have left values there. The runtime allows `VACUUM`
 * only to a program with all permissions.
 */
export function wipeFreePages(database: Database): void {
  const size = pragma(database, "page_size");
  database.transaction(() => {
    database.prepare("CREATE TABLE rekey_wipe (zeros BLOB)").run();
    const fill = database.prepare("INSERT INTO rekey_wipe VALUES (zeroblob(?))");
    for (let free; (free = pragma(database, "freelist_count")) > 0;) {
      fill.run(Math.min(free * size, WIPE_BYTES));
    }
    database.prepare("DROP TABLE rekey_wipe").run();
  });
}

function pragma(database: Database, name: "freelist_count" | "page_size"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()![name]);
}
