import type { Box } from "../process/box.ts";
import { query } from "../store/sql.ts";

/** What `audit export` prints of a box, line by line, from a row on. Read from the database: that is much cheaper. */
export function logLines(box: Box, from = 1): string[] {
  return query(box, "SELECT * FROM rekey_audit WHERE seq >= ? ORDER BY seq", from)
    .map((row) => JSON.stringify({ ...row }));
}

/** The lines of a file; none when it does not exist. */
export function fileLines(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").slice(0, -1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
