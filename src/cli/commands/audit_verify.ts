import { type Head, verifyChain } from "../../audit/verify.ts";
import { RekeyError } from "../../core/errors.ts";
import type { Context } from "../context.ts";

/** Flags of `rekey audit verify`. */
export interface AuditVerifyFlags {
  readonly expectHead?: Head;
}

/** Recomputes the audit log's chain of hashes. */
export async function auditVerify(options: AuditVerifyFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const key = await installation.auditKey();
  const { rows, head, bad } = verifyChain(installation.database, key, options.expectHead);
  const shown = head === null ? null : `${head.seq}:${head.hash}`;
  if (bad !== null) {
    throw new RekeyError("check_failed", `The audit log is broken at row ${bad.seq}: ${bad.why}`, {
      hint: "Keep a copy of the database and compare it with a backup or an earlier export",
    });
  }
  output.result({ valid: true, rows, head: shown }, [
    `The chain of ${rows} audit rows holds`,
    `head ${shown}`,
  ]);
}
