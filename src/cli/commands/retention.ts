import type { Retention, RetentionPart } from "../../store/sqlite/retention.ts";
import { describeSeconds } from "../format.ts";

/** Flags of `rekey policy set` about the audit log, in seconds; `off`: forever. */
export interface RetentionFlags {
  readonly auditRetention?: number | "off";
  readonly retrievalsRetention?: number | "off";
}

/** Whether a flag about the audit log is set. */
export function hasRetentionFlags({ auditRetention, retrievalsRetention }: RetentionFlags) {
  return auditRetention !== undefined || retrievalsRetention !== undefined;
}

/** A retention with the parts that flags set replaced. */
export function withRetention(
  before: Retention,
  { auditRetention = before.all, retrievalsRetention = before.retrievals }: RetentionFlags,
): Retention {
  const [all, retrievals] = [auditRetention, retrievalsRetention].map((seconds) =>
    seconds === "off" ? undefined : seconds
  );
  return { all, retrievals };
}

/** A retention without some of its parts. @param before is not called when no part is left. */
export function withoutRetention(
  before: () => Retention,
  parts: readonly RetentionPart[],
): Retention {
  const [all, retrievals] = [
    parts.includes("audit-retention"),
    parts.includes("retrievals-retention"),
  ];
  if (all && retrievals) return {};
  return all ? { retrievals: before().retrievals } : { all: before().all };
}

/** A retention with `--json`. */
export function describeRetention({ all, retrievals }: Retention) {
  return {
    audit_retention_seconds: all ?? null,
    retrievals_retention_seconds: retrievals ?? null,
  };
}

/** A retention in one line, for people and the audit log. */
export function retentionText({ all, retrievals }: Retention): string {
  const kept = (seconds: number | undefined) =>
    seconds === undefined ? "forever" : describeSeconds(seconds);
  const text = `audit rows are kept ${kept(all)}`;
  return retrievals === undefined ? text : `${text}, of retrievals ${kept(retrievals)}`;
}
