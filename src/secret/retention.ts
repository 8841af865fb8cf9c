import { ChainHashes } from "../audit/chain_hashes.ts";
import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { sameText } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import {
  readRetention,
  type Retention,
  textToSeal,
  writeRetention,
} from "../store/sqlite/retention.ts";

/** Makes a retention from the one before, which may be unreadable. */
export type RetentionChange = (before: () => Retention) => Retention;

/** Sets how long this machine keeps audit rows. @param described the new retention in words, for the audit log. */
export async function changeRetention(
  installation: Installation,
  change: RetentionChange,
  described: (retention: Retention) => string,
): Promise<void> {
  const { database, meta, auditKey } = installation;
  const audit = await installation.audit();
  const hashes = new ChainHashes(await auditKey.read());
  database.transaction(() => {
    const { all, retrievals } = change(() => readRetention(meta));
    const seal = hashes.retention(textToSeal({ all, retrievals }));
    if (!writeRetention(meta, { all, retrievals, seal })) return;
    audit.append({ event: EVENTS.retentionChanged, reason: described({ all, retrievals }) });
  });
}

/** Whether a retention is set: without one, nothing is pruned by policy. */
export function hasRetention({ meta }: Installation): boolean {
  return meta.get("audit_retention") !== undefined;
}

/**
 * How long this machine keeps audit rows, as rekey has set it: who can only write the database must not have rows of the
 * log removed.
 *
 * @throws {RekeyError} `check_failed` when it was not set with the log's key.
 */
export async function sealedRetention({ meta, auditKey }: Installation): Promise<Retention> {
  const { seal, ...retention } = readRetention(meta);
  if (seal === undefined) return {};
  const hashes = new ChainHashes(await auditKey.read());
  if (sameText(seal, hashes.retention(textToSeal(retention)))) return retention;
  throw new RekeyError(
    "check_failed",
    "Cannot prune the audit log: rekey has not set its retention",
    {
      hint: "Set it again: `rekey policy set --audit-retention`, `--retrievals-retention`",
    },
  );
}
