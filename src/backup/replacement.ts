import { deferForeignKeys, takeRows } from "../store/sqlite/tables.ts";
import { EVENTS } from "../audit/events.ts";
import { takeEnded } from "../store/sqlite/ended_sessions.ts";
import { Sessions } from "../users/sessions.ts";
import { Users } from "../users/users.ts";
import { listAudit } from "../audit/reader.ts";
import { AuditWriter } from "../audit/chain.ts";
import { AuditSinks } from "../audit/sinks.ts";
import { Installation } from "../store/installation.ts";
import { OF_THIS_MACHINE } from "../store/sqlite/backup_table.ts";
import type { Database } from "../store/sqlite/database.ts";
import { OWN_TABLES } from "../store/sqlite/schema.ts";
import { unsaved, warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { type LogFate, sameInstallation } from "./keys.ts";
import { asRefusal, isRekeyError, type RekeyError } from "../core/errors.ts";
import { Deliveries, type StoredDelivery } from "../store/sqlite/deliveries.ts";
import { deliveredFiles } from "../deliver/places.ts";
import { infoOf } from "../system/files.ts";
import { recover } from "../secret/recover.ts";
import type { Environment } from "../store/environment.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/codes.ts";
import { mayReplace } from "../secret/keyring/reconcile.ts";
import { backendOf } from "../cluster/backend.ts";
import { relocate } from "../secret/move.ts";
import { retrieve } from "../secret/retrieve.ts";
import { LOST } from "../secret/revived.ts";
import { longestValue, type MakeValue, nextUse } from "../secret/next_use.ts";
import { changeSecret } from "../secret/rotate.ts";
import { locationForNew } from "../store/location_choice.ts";
import { currentSlot, numberedSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Usable } from "./usable.ts";

// Tables that stay when a database is replaced by an older copy of itself.
const LOG_TABLES: readonly string[] = [
  "rekey_audit",
  "rekey_audit_counts",
  "rekey_audit_gaps",
  "rekey_audit_tree",
  "rekey_checkpoints",
  "rekey_verifications",
];

/** Whether the log of an older copy of the database does not go on in it. */
export function isReplaced(log: LogFate): boolean {
  return log === "lost" || log === "taken";
}

// What no backup has, and the programs that run here now.
const MACHINE_TABLES: readonly string[] = [...OF_THIS_MACHINE, "rekey_exec"];

/**
 * Copies records that must survive into a staged backup: newer versions as retired ones, so that their tokens are refused
 * as such and no number is reused; ended sessions; and users, since some may have been removed after the backup.
 *
 * A fleet numbers its versions: this machine's own are dropped then.
 */
export function carryOver(
  live: Installation,
  staged: Installation,
  { secretFrom, log }: Usable,
): void {
  const { versions, database } = staged;
  database.transaction(() => {
    if (secretFrom !== "etcd") takeVersions(live, staged);
    const knowsUsers = log === "continued" || hadUsers(live);
    if (sameInstallation(staged, live) && knowsUsers) {
      takeRows(database, live.database, "rekey_users");
    }
    for (const ended of new Sessions(live.database).revoked()) {
      const kid = live.versions.byNumber(ended.version)?.kid;
      const version = kid === undefined ? undefined : versions.byKid(kid)?.version;
      if (version !== undefined) takeEnded(database, { ...ended, version });
    }
  });
}

/** Whether a database has or had users. One that came back from an automatic copy has lost them instead. */
function hadUsers({ database }: Installation): boolean {
  return new Users(database).list(1).length > 0 ||
    listAudit(database, 1, { is: EVENTS.userRemoved }).length > 0;
}

function takeVersions(live: Installation, staged: Installation): void {
  const { versions } = staged;
  // The keyring may still hold values whose deletion was not confirmed.
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
 * Replaces rekey's rows in the live database with those of the staged backup and writes an audit row, in one transaction.
 * Tables of an application stay; the audit log stays if the backup is an older copy of the same database.
 *
 * @returns paths of files that stay, of deliveries that the backup does not have, or has with other settings.
 */
export async function replaceRows(
  live: Installation,
  staged: Installation,
  reason: string,
  usable: Usable,
): Promise<string[]> {
  const { database, sealed, meta } = live;
  const same = sameInstallation(staged, live) && !isReplaced(usable.log);
  // Both have the same audit key; the staged copy has it under an available KEK.
  const { actor, clock } = live.environment;
  const key = await staged.auditKey.read();
  const audit = new AuditWriter(same ? database : staged.database, key, actor, clock);
  if (!same) staged.database.transaction(() => audit.append({ event: EVENTS.restored, reason }));
  const left = database.transaction(() => {
    const deliveries = new Deliveries(database);
    const delivered = readable(deliveries);
    const before = deliveries.texts();
    // Again: sessions may have ended, and users been removed, since it was done. That needs no lock.
    carryOver(live, staged, usable);
    takeTables(database, staged.database, same);
    const forgotten = deliveries.forgetStates(before);
    sealed.takeAll(staged.database);
    meta.set("scrub_pending", "log");
    if (same) audit.append({ event: EVENTS.restored, reason });
    // Numbers of another log say nothing about what a sink has had: it goes on with the row of the restoration.
    else new AuditSinks(database).beginAgain();
    return delivered.filter(({ name }) => forgotten.includes(name)).flatMap(deliveredFiles);
  });
  return left.filter(mayBeThere);
}

function takeTables(into: Database, from: Database, keepsLog: boolean): void {
  deferForeignKeys(into);
  const kept = [...MACHINE_TABLES, ...keepsLog ? LOG_TABLES : []];
  for (const table of OWN_TABLES.filter((one) => !kept.includes(one))) takeRows(into, from, table);
}

function mayBeThere(path: string): boolean {
  try {
    return infoOf(path) !== undefined;
  } catch {
    // It cannot be looked at.
    return true;
  }
}

// Those of a damaged row are known to no one, and what replaces it is whole.
function readable(deliveries: Deliveries): StoredDelivery[] {
  try {
    return deliveries.all();
  } catch (error) {
    asRefusal(error);
    return [];
  }
}

/**
 * Finishes a restore once the database is in place. A failure here does not undo the restore; the next command does the
 * rest.
 *
 * @returns the current version, why it is not in the keyring if it was to be, and warnings if it could be lost.
 */
export async function settle(
  environment: Environment,
  usable: Usable,
  rest: Unsettled,
): Promise<Settlement & { risks: string[] }> {
  const installation = Installation.open(environment, { locked: true });
  try {
    const settled = await settleVersion(installation, usable, rest);
    return { ...settled, risks: warningsOfRisk(installation) };
  } finally {
    installation.close();
  }
}

interface Unsettled {
  /** Versions of another installation's database that was replaced. */
  readonly foreignVersions: readonly Version[];
  /** Gives a new secret its value. */
  readonly makeValue: MakeValue;
}

interface Settlement {
  readonly version: Version;
  readonly notInKeyring: RekeyError | undefined;
}

async function settleVersion(
  installation: Installation,
  { secretFrom, toKeyring }: Usable,
  { foreignVersions, makeValue }: Unsettled,
): Promise<Settlement> {
  await removeForeign(installation, foreignVersions).catch(noKeyring);
  // The settings given to this command are remembered.
  await backendOf(installation).remember(installation).catch(asRefusal);
  // The keyring still has the audit head of the replaced database.
  const current = installation.versions.current();
  if (current?.location === "keyring") {
    installation.database.transaction(() => installation.versions.markUnsynced(current));
  }
  await recover(installation, "held");
  const restored = installation.versions.current();
  if (restored === undefined) throw new Error("The restored version is not there");
  if (secretFrom === "new") {
    const version = await replaceLost(installation, restored, makeValue);
    return { version, notInKeyring: undefined };
  }
  const notInKeyring = toKeyring ? await moveToKeyring(installation) : undefined;
  const version = installation.versions.current() ?? restored;
  await retrieve(installation, version, () => {}).catch((error) => {
    // A locked keyring still has the value; any other read failure means that the restore failed.
    if (!isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
  });
  return { version, notInKeyring };
}

/** @returns why the secret stays in the database; `undefined` if it does not. */
async function moveToKeyring(installation: Installation): Promise<RekeyError | undefined> {
  const { database, meta, store } = installation;
  try {
    await relocate(installation, "keyring", () => {});
    return undefined;
  } catch (error) {
    return asRefusal(error);
  } finally {
    // The operator's choice for later versions is kept.
    database.transaction(() => meta.set("store", store));
  }
}

/** Deletes the keyring items of another installation whose database was replaced. */
async function removeForeign(
  { database, keyring, versions }: Installation,
  rows: readonly Version[],
): Promise<void> {
  for (
    const row of rows.filter(({ location, state }) => location === "keyring" && state !== "retired")
  ) {
    for (const slot of [numberedSlot(row), currentSlot(row)]) {
      if (await keyring.holds(slot, row.kid)) await keyring.remove(slot);
    }
    const taken = versions.byKid(row.kid);
    if (taken?.state === "retired") database.transaction(() => versions.markSynced(taken));
  }
}

async function replaceLost(
  installation: Installation,
  old: Version,
  makeValue: MakeValue,
): Promise<Version> {
  const { keyring, store } = installation;
  const known = (kid: string) => mayReplace(installation, kid);
  const length = longestValue(nextUse(installation, {}));
  const location = await locationForNew(keyring, store, length, undefined, known);
  const change = { old, location, reason: LOST, graceMs: 0 };
  return (await changeSecret(installation, change, { makeValue })).version;
}

/** For `catch` in a step that is skipped without a keyring. @throws errors that are bugs. */
export function noKeyring(error: unknown): null {
  asRefusal(error);
  return null;
}
