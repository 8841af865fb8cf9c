import { takeRows } from "../store/sqlite/row_transfer.ts";
import { EVENTS } from "../audit/events.ts";
import { Sessions } from "../store/sqlite/sessions.ts";
import { AuditWriter } from "../audit/chain.ts";
import type { Installation } from "../store/installation.ts";
import { OWN_TABLES } from "../store/sqlite/schema.ts";
import { unsaved } from "../secret/keyring/unsaved.ts";
import { sameInstallation } from "./keys.ts";

// What goes on as it is when a database is replaced by an older copy of itself.
const LOG_TABLES: readonly string[] = ["rekey_audit", "rekey_audit_counts", "rekey_verifications"];

// What runs on this machine runs on, whatever the backup says.
const MACHINE_TABLES: readonly string[] = ["rekey_exec"];

/**
 * Takes over into a backup what must not be forgotten: versions that it does not know, as retired ones, so
 * that their tokens are refused by name and no number is used twice; ends of sessions; and users, of whom some
 * may have been removed since.
 *
 * @param shared whether the versions are a fleet's: then it numbers them, and this machine's own are forgotten.
 */
export function carryOver(
  live: Installation | undefined,
  staged: Installation,
  shared: boolean,
): void {
  if (live === undefined) return;
  const { versions, database } = staged;
  database.transaction(() => {
    if (!shared) takeVersions(live, staged);
    if (sameInstallation(staged, live)) takeRows(database, live.database, "rekey_users");
    const sessions = new Sessions(database);
    for (const ended of new Sessions(live.database).revoked()) {
      const kid = live.versions.byNumber(ended.version)?.kid;
      const version = kid === undefined ? undefined : versions.byKid(kid)?.version;
      if (version !== undefined) sessions.takeRevoked({ ...ended, version });
    }
  });
}

function takeVersions(live: Installation, staged: Installation): void {
  const { versions } = staged;
  // What the keyring was not seen to delete it may have again.
  const doubtful = unsaved(live)?.versions ?? [];
  for (const row of live.versions.every().toReversed()) {
    if (versions.byKid(row.kid) !== undefined) continue;
    const last = versions.every()[0]?.version ?? 0;
    const version = Math.max(row.version, last + 1);
    const taken = { ...row, version, replaces: null, request_id: null };
    if (row.state === "retired") {
      versions.take(doubtful.includes(row.version) ? { ...taken, synced: 0 } : taken);
    } else {
      versions.take({ ...taken, state: "previous", grace_until: 0 });
      versions.retire(taken, staged.now());
    }
  }
}

/**
 * In one transaction: what rekey keeps in a database becomes what a backup has, and the log says so. An
 * application's tables stay; so does the log, when the backup is an older copy of the same database.
 *
 * @param logLost whether the key of the log is lost: then it starts again, with this row.
 */
export async function replaceRows(
  live: Installation,
  staged: Installation,
  reason: string,
  logLost: boolean,
): Promise<void> {
  const { database, sealed, meta } = live;
  const same = sameInstallation(staged, live) && !logLost;
  // The key of the log is the same in both; the staged copy has it under a KEK that is at hand.
  const { actor, clock } = live.environment;
  const key = await staged.auditKey();
  const audit = new AuditWriter(same ? database : staged.database, key, actor, clock);
  if (!same) staged.database.transaction(() => audit.append({ event: EVENTS.restored, reason }));
  database.transaction(() => {
    database.deferForeignKeys();
    for (const table of OWN_TABLES) {
      if (MACHINE_TABLES.includes(table)) continue;
      if (!same || !LOG_TABLES.includes(table)) takeRows(database, staged.database, table);
    }
    sealed.takeAll(staged.database);
    meta.set("scrub_pending", "log");
    if (same) audit.append({ event: EVENTS.restored, reason });
  });
}
