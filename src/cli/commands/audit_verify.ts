import { type Head, showHead } from "../../audit/head.ts";
import { verifyChain } from "../../audit/verify.ts";
import { RekeyError } from "../../core/errors.ts";
import type { Context } from "../context.ts";

/** Flags of `rekey audit verify`. */
export interface AuditVerifyFlags {
  readonly expectHead?: Head;
}

/** Recomputes the audit log's chain of hashes, up to the heads that are known of it. */
export async function auditVerify(options: AuditVerifyFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const key = await installation.auditKey();
  const { head: kept, unavailable } = await secrets.keptHead();
  const expected = [options.expectHead, kept].filter((one) => one != null);
  const { rows, head, bad } = verifyChain(
    installation.database,
    key,
    expected,
    (count) => output.progress(`${count} rows`),
  );
  output.progress("");
  if (bad !== null) {
    throw new RekeyError("check_failed", `The audit log is broken at row ${bad.seq}: ${bad.why}`, {
      hint: "Keep a copy of the database and compare it with a backup or an earlier export",
    });
  }
  output.result({
    valid: true,
    rows,
    head: head && showHead(head),
    keyring_head: kept && showHead(kept),
  }, [
    `The chain of ${rows} audit rows holds`,
    ...head === null ? [] : [`head ${showHead(head)}`],
    ...kept === null ? [] : [`it still holds row ${kept.seq}, whose hash the keyring keeps`],
  ]);
  if (unavailable !== undefined) {
    output.warning(`the head kept in the keyring could not be compared (${unavailable.code})`);
  }
}
