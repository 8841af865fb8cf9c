import type { Sql } from "../../core/sql.ts";

/**
 * Whether anything may depend on the secrets of a database: a token was issued or verified, `exec` or a delivery gave a
 * program a secret, or a second version was ever current. Rows that were pruned may have been about such a use.
 */
export function wasUsed(sql: Sql): boolean {
  const row = sql.prepare(
    `SELECT (SELECT count(*) FROM rekey_versions WHERE activated_at IS NOT NULL) <> 1
         OR EXISTS (SELECT 1 FROM rekey_versions WHERE origin <> 'generated' AND state <> 'retired')
         OR EXISTS (SELECT 1 FROM rekey_sessions)
         OR EXISTS (SELECT 1 FROM rekey_verifications WHERE result = 'valid' AND count > 0)
         OR EXISTS (SELECT 1 FROM rekey_audit WHERE version IS NOT NULL AND reason LIKE 'exec %')
         OR EXISTS (SELECT 1 FROM rekey_audit_gaps)
         OR EXISTS (SELECT 1 FROM rekey_exec)
         OR EXISTS (SELECT 1 FROM rekey_delivery_states)
       AS used`,
  ).get();
  return row?.used !== 0;
}
