import { DatabaseSync } from "node:sqlite";
import { isThere } from "../files/file_facts.ts";

/**
 * Whether the rekey database at `path`, which is not the one in use, has a version with this kid that is
 * not retired. A file that is no such database has none. Nothing in it is changed.
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
