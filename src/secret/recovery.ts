import { dirname } from "node:path";
import { EVENTS } from "../audit/events.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { generatedKeyFile } from "../store/sealed/kek.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { exclusively } from "../store/lock.ts";
import { scrub } from "../store/scrub.ts";
import { removeFile } from "../files/private_files.ts";
import { numberedSlot } from "../core/secret_store.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { overlongGrace, shortenGrace } from "./overlong_grace.ts";
import { removeUnfinished } from "./unfinished.ts";
import { type Reconciled, reconcileKeyring, UNDONE } from "./reconcile.ts";
import { canLookAgain, lookAgain } from "./unsaved.ts";

// A keyring that does not answer must not cost every command its time-out; one that says no says it at once.
const SILENT_KEYRING_RETRY_MS = 60_000;

/** What a command can leave for the next one to do. */
export type Leftover = "rotation" | "grace" | "clock" | "log" | "kek" | "keyring";

/** What was left to do: an interrupted rotation, an ended grace window, a busy log, a keyring that was away. */
export function leftovers(installation: Installation): Leftover[] {
  const { versions, meta } = installation;
  const left: [Leftover, boolean][] = [
    ["rotation", interrupted(installation) !== undefined],
    ["grace", expired(installation).length > 0],
    ["clock", overlongGrace(installation).length > 0],
    ["log", meta.get("scrub_pending") !== undefined],
    ["kek", meta.get("stale_kek") !== undefined],
    ["keyring", versions.unsynced().length > 0],
  ];
  return left.filter(([, there]) => there).map(([name]) => name);
}

function needsRecovery(installation: Installation): boolean {
  const left = leftovers(installation);
  return left.length > (left.includes("keyring") && !keyringIsDue(installation) ? 1 : 0);
}

/**
 * Finishes or undoes what another command left, unless that command is still at it: then it holds the
 * lock, and there is nothing to do. What is left is left for another command when it cannot be done now
 * (no KEK, a full disk): whether a token verifies does not depend on it.
 */
export async function recoverIfNeeded(installation: Installation): Promise<void> {
  if (!needsRecovery(installation) && !await canLookAgain(installation)) return;
  try {
    // Whoever waits for the lock must not wait for readers to leave the log.
    await exclusively(installation.lockPath, () => recover(installation, 0), 0);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
  }
}

/**
 * Finishes or undoes what was interrupted. Call it under the lock.
 *
 * @param logWaitMs how long to wait for readers that keep the write-ahead log from being emptied.
 */
export async function recover(installation: Installation, logWaitMs?: number): Promise<void> {
  const { versions } = installation;
  const pending = interrupted(installation);
  if (pending !== undefined) await rollBack(installation, pending, "interrupted");
  await endGrace(installation, expired(installation), "grace window over");
  await shortenGrace(installation);
  await lookAgain(installation);
  if (versions.unsynced().length > 0) await tryReconcile(installation);
  removeStaleKek(installation);
  removeUnfinished(dirname(installation.database.path));
  scrub(installation, logWaitMs);
}

// What a fleet has prepared waits for its turn.
function interrupted({ versions }: Installation): Version | undefined {
  const pending = versions.pending();
  return pending?.location === "etcd" ? undefined : pending;
}

/** Undoes a rotation that did not reach its commit: the pending version never verified anything. */
export async function rollBack(installation: Installation, pending: Version, reason: string) {
  const { database, versions, sealed } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    // Under the transaction, since the row is what counts: a rotation that reached its commit stays.
    if (versions.pending()?.version !== pending.version) return;
    versions.retire(pending, installation.now());
    sealed.drop(numberedSlot(pending));
    const { version, kid, location } = pending;
    audit.append({ event: EVENTS.rotationRecovered, version, kid, location, reason });
    installation.meta.set("scrub_pending", "log");
  });
}

/** Destroys versions in a grace window: in one transaction they no longer verify. Call it under the lock. */
export async function endGrace(
  installation: Installation,
  ended: Version[],
  reason: string,
): Promise<void> {
  if (ended.length === 0) return;
  const { database, versions, sealed, meta } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    for (const row of ended) {
      const { version, kid, location } = row;
      sealed.drop(numberedSlot(row));
      versions.retire(row, installation.now());
      audit.append({ event: EVENTS.retired, version, kid, location, reason });
    }
    meta.set("scrub_pending", "log");
  });
}

function expired(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) <= now);
}

/** Brings the keyring up to date if it can be used; if not, a later command does it. */
export async function tryReconcile(installation: Installation): Promise<Reconciled> {
  const { database, meta } = installation;
  try {
    const done = await reconcileKeyring(installation);
    if (meta.get("keyring_retry_at")) database.transaction(() => meta.remove("keyring_retry_at"));
    return done;
  } catch (error) {
    if (!isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
    if (error.code === "keyring_timeout") {
      const retryAt = String(installation.now() + SILENT_KEYRING_RETRY_MS);
      database.transaction(() => meta.set("keyring_retry_at", retryAt));
    }
    return UNDONE;
  }
}

function keyringIsDue(installation: Installation): boolean {
  const wait = Number(installation.meta.get("keyring_retry_at") ?? 0) - installation.now();
  // A longer wait than was set means that the clock was set back.
  return wait <= 0 || wait > SILENT_KEYRING_RETRY_MS;
}

/** Deletes the key file that a KEK rotation has replaced, if one is left. */
export function removeStaleKek(installation: Installation): void {
  const { environment, database, meta } = installation;
  if (meta.get("stale_kek") === undefined) return;
  const { app, folders } = environment;
  const path = generatedKeyFile(folders.config, app.name, installation.kekRecord("stale_kek"));
  if (path !== undefined) removeFile(path);
  database.transaction(() => meta.remove("stale_kek"));
}
