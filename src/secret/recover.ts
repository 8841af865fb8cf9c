import { dirname } from "node:path";
import { rfc3339 } from "../core/clock.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import { sealedSlot } from "../core/location.ts";
import { removeUnfinished } from "../store/backup_file.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { exclusively, Turn } from "../store/sqlite/turn.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { RotateOptions } from "./backend.ts";
import { removeFile } from "../files/files.ts";
import { tryReconcile } from "./keyring/reconcile.ts";
import { expired, interrupted, overlongGrace } from "./leftovers.ts";
import type { AuditWriter } from "../audit/chain.ts";
import { ENDS, EVENTS } from "../audit/events.ts";
import { lookAgain } from "./keyring/unsaved.ts";

/**
 * Finishes or undoes what an earlier command left.
 *
 * @param lock `held`: by the caller. `overtaking`: too, while a rotation whose programs follow has its place in the turn;
 * that rotation is undone. `if free`: the lock is taken if there is work and no other process holds it; errors
 * (no KEK, a full disk) then leave the work to a later command, since no verification depends on it.
 */
export async function recover(
  installation: Installation,
  lock: "held" | "overtaking" | "if free",
): Promise<void> {
  if (lock === "held") return await finish(installation);
  if (lock === "overtaking") return await finish(installation, { why: "overtaken" });
  try {
    await exclusively(installation.lockPath, () => finish(installation, { logWaitMs: 0 }), 0);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
  }
}

interface Finishing {
  /** Why a rotation did not reach its commit, for the audit log. */
  readonly why?: string;
  /** How long to wait for readers that keep the write-ahead log from being emptied. */
  readonly logWaitMs?: number;
}

async function finish(
  installation: Installation,
  { why = "interrupted", logWaitMs }: Finishing = {},
): Promise<void> {
  const pending = interrupted(installation);
  if (pending !== undefined) await rollBack(installation, pending, why);
  // Last: whoever waits for its programs takes this for the end of its rotation.
  dropMark(installation);
  await endGrace(installation, expired(installation), ENDS.graceOver);
  await shortenGrace(installation);
  await lookAgain(installation);
  if (installation.versions.unsynced().length > 0) await tryReconcile(installation);
  removeStaleKek(installation);
  removeUnfinished(dirname(installation.database.path));
  scrub(installation, logWaitMs);
}

/** Undoes a rotation that did not reach its commit: the pending version never verified anything. */
export async function rollBack(installation: Installation, pending: Version, reason: string) {
  const { database, versions } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    // Checked in the transaction: a rotation that reached its commit stays.
    if (versions.begun()?.version !== pending.version) return;
    destroyValue(installation, pending, installation.now());
    const { version, kid, location } = pending;
    audit.append({ event: EVENTS.rotationRecovered, version, kid, location, reason });
  });
}

/** Undoes a rotation that has failed before its commit. */
export async function giveUp(
  installation: Installation,
  pending: Version,
  error: unknown,
): Promise<void> {
  await rollBack(installation, pending, isRekeyError(error) ? error.code : "failed");
  if (pending.location === "keyring") await tryReconcile(installation);
  scrub(installation);
}

/**
 * Inside a transaction: retires a version and deletes its sealed value from the database. After the commit `scrub`
 * removes the value from the write-ahead log, and `tryReconcile` from the keyring.
 *
 * @param now milliseconds since the epoch.
 */
export function destroyValue(
  { versions, sealed, meta }: Installation,
  row: Version,
  now: number,
): void {
  sealed.drop(sealedSlot(row));
  versions.retire(row, now);
  meta.set("scrub_pending", "log");
}

/** Ends grace windows and destroys their values, in one transaction. Call it under the lock. */
export async function endGrace(
  installation: Installation,
  ended: Version[],
  reason: string,
): Promise<void> {
  if (ended.length === 0) return;
  const audit = await installation.audit();
  installation.database.transaction(() => {
    for (const row of ended) {
      const { version, kid, location } = row;
      destroyValue(installation, row, installation.now());
      audit.append({ event: EVENTS.retired, version, kid, location, reason });
    }
  });
}

/** Shortens such windows to their own length from now on. Call it under the lock. */
async function shortenGrace(installation: Installation): Promise<void> {
  const overlong = overlongGrace(installation);
  if (overlong.length === 0) return;
  const audit = await installation.audit();
  installation.database.transaction(() => {
    for (const { row, until } of overlong) {
      const { version, kid, location } = row;
      installation.versions.supersede(row, until);
      const reason = `the clock was ahead: its grace window ends at ${rfc3339(until)}`;
      audit.append({ event: EVENTS.rotationRecovered, version, kid, location, reason });
    }
  });
}

/** Inside a transaction: destroys the prepared version. */
export function dropPrepared(
  installation: Installation,
  audit: AuditWriter,
): void {
  const prepared = installation.versions.prepared();
  if (prepared === undefined) return;
  destroyValue(installation, prepared, installation.now());
  const { version, kid, location } = prepared;
  audit.append({ event: EVENTS.retired, version, kid, location, reason: "prepared, and not used" });
}

/** Deletes the key file that a KEK rotation has replaced, if one is left. */
export function removeStaleKek(installation: Installation): void {
  const { database, meta } = installation;
  if (meta.get("stale_kek") === undefined) return;
  const path = installation.generatedKeyFile("stale_kek");
  if (path !== undefined) removeFile(path);
  database.transaction(() => meta.remove("stale_kek"));
}

/** How a turn is taken. */
export interface TurnOptions {
  /** How long to wait for another command, in milliseconds. */
  readonly waitMs?: number | undefined;
  /** Whether it overtakes a rotation whose programs follow at present. */
  readonly overtakes?: boolean;
  /** Called first under the lock. */
  readonly permit?: RotateOptions["permit"];
}

/** Takes a turn, and finishes or undoes what others left. @throws {RekeyError} `busy` when it is not free in time. */
export async function beginTurn(
  installation: Installation,
  { waitMs = LOCK_TIMEOUT_MS, overtakes = false, permit }: TurnOptions,
): Promise<Turn> {
  const { lockPath } = installation;
  const turn = overtakes ? Turn.overtake(lockPath, waitMs) : Turn.take(lockPath, waitMs);
  try {
    // Before anything is undone: who may not rotate overtakes no one.
    await permit?.();
    await recover(installation, turn.isOvertaking ? "overtaking" : "held");
    return turn;
  } catch (error) {
    turn[Symbol.dispose]();
    throw error;
  }
}

/** Whether a rotation is an incident: it waits for no program, and for no rotation that does. */
export function isIncident(
  { versions }: Installation,
  { graceMs = 0, ifOlderThanMs, requestId }: RotateOptions,
): boolean {
  const isMade = requestId !== undefined && versions.byRequest(requestId) !== undefined;
  return graceMs === 0 && ifOlderThanMs === undefined && !isMade;
}

/** Overtakes a rotation whose programs follow, if there is one. Call it under the lock. */
export function dropMark({ database, meta }: Installation): void {
  if (meta.get("following") !== undefined) database.transaction(() => meta.remove("following"));
}

/**
 * Inside the transaction of a rotation: compares, since the lock was free while programs followed, and an older rekey
 * knows no turns.
 *
 * @param old the version that was current when it began.
 * @throws {RekeyError} `overtaken` when either version is no longer what it was.
 */
export function mustBeNext({ versions }: Installation, pending: Version, old?: Version): void {
  const isPending = versions.pending()?.version === pending.version;
  // A restoration replaces one that is lost.
  const current = versions.current() ?? old;
  if (!isPending || current?.version !== old?.version) throw overtaken();
}

/** The error of a rotation that an incident has overtaken. */
export function overtaken(): RekeyError {
  return new RekeyError(
    "overtaken",
    "Not rotated: a rotation or revocation that waits for no program was first",
    {
      hint:
        "`rekey status` shows the current version; programs get its key by that command, or by " +
        "`rekey deliver sync`",
    },
  );
}
