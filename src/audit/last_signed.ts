import type { Sql } from "../core/sql.ts";
import { EVENTS } from "./events.ts";

/**
 * Whether a signed checkpoint covers the last rotation. Rotations sign the log, so one that is not covered means that the
 * log is broken or too long to be signed on the side. True before the first checkpoint.
 */
export function isLastRotationSigned(sql: Sql): boolean {
  const { signed, rotated } = sql.prepare(
    `SELECT (SELECT max(size) FROM rekey_checkpoints) AS signed,
            (SELECT max(seq) FROM rekey_audit WHERE event = ?) AS rotated`,
  ).get(EVENTS.rotationCompleted) as { signed: number | null; rotated: number | null };
  return signed === null || rotated === null || rotated <= signed;
}
