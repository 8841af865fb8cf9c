import { dirname, join } from "node:path";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/write_ahead_log.ts";
import { exclusively } from "../store/sqlite/lock.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { endGrace, expired, overlongGrace, shortenGrace } from "./grace.ts";
import { removeStaleKek } from "./rotate_kek.ts";
import { keyringIsDue, tryReconcile } from "./keyring/reconcile.ts";
import { EVENTS } from "../audit/events.ts";
import { destroyValue } from "./destroy_value.ts";
import { canLookAgain, lookAgain } from "./keyring/unsaved.ts";
import { namesIn, removeFolder } from "../files/private_files.ts";
import { timeOf } from "../files/file_info.ts";

/** Work that an earlier command left unfinished. */
export type Leftover = "rotation" | "grace" | "clock" | "log" | "kek" | "keyring";

/** Unfinished work: an interrupted rotation, an expired grace window, a busy log, a keyring that was unavailable. */
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
 * Finishes or undoes what an earlier command left.
 *
 * @param lock `held`: by the caller. `if free`: the lock is taken if there is work and no other process holds it; errors
 * (no KEK, a full disk) then leave the work to a later command, since no verification depends on it.
 */
export async function recover(installation: Installation, lock: "held" | "if free"): Promise<void> {
  if (lock === "held") return await finish(installation);
  if (!needsRecovery(installation) && !await canLookAgain(installation)) return;
  try {
    await exclusively(installation.lockPath, () => finish(installation, 0), 0);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
  }
}

/** @param logWaitMs how long to wait for readers that keep the write-ahead log from being emptied. */
async function finish(installation: Installation, logWaitMs?: number): Promise<void> {
  const pending = interrupted(installation);
  if (pending !== undefined) await rollBack(installation, pending, "interrupted");
  await endGrace(installation, expired(installation), "grace window over");
  await shortenGrace(installation);
  await lookAgain(installation);
  if (installation.versions.unsynced().length > 0) await tryReconcile(installation);
  removeStaleKek(installation);
  removeUnfinished(dirname(installation.database.path));
  scrub(installation, logWaitMs);
}

// A version that the fleet has prepared is not an interrupted rotation.
function interrupted({ versions }: Installation): Version | undefined {
  const pending = versions.pending();
  return pending?.location === "etcd" ? undefined : pending;
}

/** Undoes a rotation that did not reach its commit: the pending version never verified anything. */
export async function rollBack(installation: Installation, pending: Version, reason: string) {
  const { database, versions } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    // Checked in the transaction: a rotation that reached its commit stays.
    if (versions.pending()?.version !== pending.version) return;
    destroyValue(installation, pending, installation.now());
    const { version, kid, location } = pending;
    audit.append({ event: EVENTS.rotationRecovered, version, kid, location, reason });
  });
}

/** Prefix of folders in which `restore` works, under the lock. */
export const STAGE = ".rekey-restore-";

/** Prefix of folders in which a backup is read for a short time, without the lock. */
export const PEEK = ".rekey-peek-";

/** Prefix of folders that hold a backup on its way through a pipe, without the lock. */
export const SPOOL = ".rekey-pipe-";

// Since the last data from the pipe: its program may ask a person for a passphrase.
const LONGEST_PIPE_MS = 600_000;

const LONGEST_PEEK_MS = 60_000;

/**
 * Deletes folders that a killed `restore` or `backup` left in the data folder: they hold values that no rotation
 * destroys. Call it under the lock.
 */
export function removeUnfinished(folder: string): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const age = Math.abs(Date.now() - timeOf(path));
    const old = (name.startsWith(PEEK) && age > LONGEST_PEEK_MS) ||
      (name.startsWith(SPOOL) && age > LONGEST_PIPE_MS);
    if (name.startsWith(STAGE) || old) removeFolder(path);
  }
}
