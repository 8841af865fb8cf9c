import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Location } from "../core/secret_store.ts";
import { isThere } from "../files/file_facts.ts";
import { lockPath } from "./lock.ts";
import { closeAsLast } from "./write_ahead_log.ts";

// Databases of rekey that are not the one in use. Nothing in them is changed.

/**
 * Whether the rekey database at `path` has a version with this kid that is not retired. A file that is no such database
 * has none.
 */
export function knowsKid(path: string, kid: string): boolean {
  if (!isThere(path)) return false;
  const sqlite = new DatabaseSync(path, { readOnly: true });
  try {
    return sqlite.prepare("SELECT 1 FROM rekey_versions WHERE kid = ? AND state <> 'retired'")
      .get(kid) !== undefined;
  } catch {
    return false;
  } finally {
    sqlite.close();
  }
}

/** What a database tells of itself. */
export interface Glance {
  readonly app: string | null;
  readonly location: Location | null;
  readonly version: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | null;
  readonly readable: boolean;
}

/** What nothing can be told of. */
export const UNREADABLE: Glance = {
  app: null,
  location: null,
  version: null,
  createdAt: null,
  readable: false,
};

/**
 * Looks at the rekey database at `path`, and leaves no file beside it.
 *
 * @returns `undefined` when there is no file, or one of another kind.
 */
export function lookInto(path: string): Glance | undefined {
  try {
    // Whatever has been made by rekey has a lock beside it; other programs' databases are not opened.
    if (!statSync(path).isFile() || !statSync(lockPath(path)).isFile()) return undefined;
  } catch {
    return undefined;
  }
  try {
    const leavesFiles = !isThere(`${path}-shm`);
    const sqlite = new DatabaseSync(path, { readOnly: true });
    try {
      return glance(sqlite);
    } finally {
      sqlite.close();
      if (leavesFiles) closeAsLast(path);
    }
  } catch (error) {
    // SQLITE_CANTOPEN and the like: it is there. One of another kind says so by what it has not.
    return /no such table|not a database/.test(String(error)) ? undefined : UNREADABLE;
  }
}

function glance(sqlite: DatabaseSync): Glance {
  const app = sqlite.prepare("SELECT value FROM rekey_meta WHERE key = 'app'").get()?.value;
  const row = sqlite.prepare(
    "SELECT version, location, created_at FROM rekey_versions WHERE state = 'current'",
  ).get();
  return {
    app: typeof app === "string" ? app : null,
    location: (row?.location ?? null) as Location | null,
    version: row === undefined ? null : Number(row.version),
    createdAt: row === undefined ? null : Number(row.created_at),
    readable: true,
  };
}
