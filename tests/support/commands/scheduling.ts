import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import { sql } from "../store/sql.ts";

/** What `rekey schedule` prints. */
export interface Printed {
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

/** Asks for the files of a schedule. What comes last is rotate's. */
export async function schedule(box: Box, ...args: string[]): Promise<Printed> {
  const { stdout, stderr } = await box.run(["schedule", "--json", ...args]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** A secret that is old enough for a rotation to be due. */
export async function withOldSecret(box: Box): Promise<void> {
  const { code, stderr } = await box.run(["init", "--store", "database"]);
  assert.equal(code, 0, stderr);
  sql(box, `UPDATE rekey_versions SET created_at = created_at - ${100 * 86_400_000}`);
}
