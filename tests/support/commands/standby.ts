import assert from "node:assert/strict";
import { Box, type Ended, REKEY } from "../process/box.ts";
import { query } from "../store/sql.ts";

/** Runs rekey as if it were later, or earlier with a minus: `+1h`. */
export function later(box: Box, by: string, ...args: string[]): Promise<Ended> {
  return box.exec("/usr/bin/faketime", ["-f", by, REKEY, ...args]);
}

/** A box with a secret in the database. */
export async function started(): Promise<Box> {
  const box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}

/** Each version's number and state. */
export const states = (box: Box) =>
  query(box, "SELECT version, state FROM rekey_versions ORDER BY version")
    .map(({ version, state }) => `${version} ${state}`);

/** Names of the rows that hold sealed values. */
export const sealedRows = (box: Box) =>
  query(box, "SELECT key FROM settings ORDER BY key").map(({ key }) => key);
