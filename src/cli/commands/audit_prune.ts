import { brokenLog } from "../../audit/chain_walk.ts";
import { usageError } from "../../core/errors.ts";
import { numbered } from "../../core/words.ts";
import { countToPrune, describeOrder, orderOf, pruneLog } from "../../secret/pruned_log.ts";
import { sealedRetention } from "../../secret/retention.ts";
import { verifyLog } from "../../secret/verified_log.ts";
import type { Installation } from "../../store/installation.ts";
import type { Retention } from "../../store/sqlite/retention.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import type { Output } from "../output.ts";
import { requireConfirmation } from "../terminal.ts";

/** Flags of `rekey audit prune`. Durations in seconds. */
export interface AuditPruneFlags {
  readonly olderThan?: number;
  readonly retrievalsOlderThan?: number;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Removes old rows of the audit log, which verifies as before. @throws {RekeyError} `check_failed` when it is broken. */
export async function auditPrune(flags: AuditPruneFlags, context: Context): Promise<void> {
  const { secrets, output, confirm } = context;
  const { installation, version } = await secrets.open();
  const retention = wanted(flags) ?? await sealedRetention(installation);
  if (retention.all === undefined && retention.retrievals === undefined) {
    throw usageError(
      "Cannot prune the audit log: no age was given",
      "Give --older-than 400d, or set it once: `rekey policy set --audit-retention 400d`",
    );
  }
  const order = orderOf(retention, installation.now());
  const count = countToPrune(installation, order);
  // Rows may show what was done to others, and a head that is known could no longer be compared.
  if (count > 0) await mustHold(installation, version, output);
  const what = `${numbered(count, "row")} of the audit log (${describeOrder(order)})`;
  if (flags.dryRun) {
    return output.result({ dry_run: true, rows: count }, [`Would remove ${what}`]);
  }
  if (count > 0) {
    requireConfirmation(flags.force ?? false, `Remove ${what} for good?`, confirm);
  }
  const rows = await pruneLog(installation, order);
  output.result({ pruned: rows }, [
    rows === 0
      ? `Nothing to remove (${describeOrder(order)})`
      : `Removed ${numbered(rows, "row")} of the audit log (${describeOrder(order)})`,
  ]);
}

async function mustHold(installation: Installation, version: Version, output: Output) {
  const onProgress = (rows: number) => output.progress(`${rows} rows`);
  const { bad } = await verifyLog(installation, version, onProgress);
  output.progress("");
  if (bad !== null) throw brokenLog(bad);
}

function wanted({ olderThan, retrievalsOlderThan }: AuditPruneFlags): Retention | undefined {
  if (olderThan === undefined && retrievalsOlderThan === undefined) return undefined;
  return { all: olderThan, retrievals: retrievalsOlderThan };
}
