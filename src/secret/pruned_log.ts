import { EVENTS } from "../audit/events.ts";
import { LogCheckpoints } from "../audit/log_checkpoints.ts";
import {
  countPrunable,
  findPrunable,
  type PruneBounds,
  type PruneOrder,
  pruneRows,
} from "../audit/prune.ts";
import { newestTime, newestTimeUntil } from "../audit/reader.ts";
import { lastSentToAll } from "../audit/sinks.ts";
import { delay } from "../core/async.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";
import type { Retention } from "../store/sqlite/retention.ts";
import { isAhead } from "./age.ts";
import { sealedRetention } from "./retention.ts";
import { logKeysOf } from "./signed_log.ts";

/** Rows that are removed in one transaction: they keep other processes waiting for 50 ms at most. */
const BATCH_ROWS = 500;

/** Rows that one run by policy removes at most. */
const MOST_BY_POLICY = 20_000;

const DAY_MS = 86_400_000;

/** How a log is pruned. */
interface PruneOptions {
  /** Rows that are removed at most. */
  readonly most?: number;
  /** Nothing is removed if there is less to remove. */
  readonly least?: number;
  /** How long to wait for another process that writes, in milliseconds. */
  readonly waitMs?: number;
}

/**
 * Removes rows of the audit log, which verifies as before: see `audit/prune.ts`. Checkpoints are signed before and
 * afterwards. It pauses between transactions, and can be interrupted after each.
 *
 * @returns how many rows were removed.
 * @throws {RekeyError} `check_failed` when the log is broken, `busy` when it cannot be written in time.
 */
export async function pruneLog(
  installation: Installation,
  order: PruneOrder,
  { most = Infinity, least = 1, waitMs }: PruneOptions = {},
): Promise<number> {
  const { database } = installation;
  const [key, audit] = [await installation.auditKey.read(), await installation.audit()];
  const checkpoints = new LogCheckpoints(database);
  const keys = logKeysOf(installation, key);
  // Rows that the tree does not have yet could only be taken into it with all before them.
  if (checkpoints.make(keys, most) === undefined) return 0;
  const bounds = boundsOf(installation, order);
  if (countPrunable(database, bounds) < least) return 0;
  const batch = { bounds, limit: BATCH_ROWS, why: describeOrder(order) };
  const how = { durable: false, ...waitMs === undefined ? {} : { waitMs } };
  let removed = 0;
  for (let rows = BATCH_ROWS; rows === BATCH_ROWS && removed < most; removed += rows) {
    const start = performance.now();
    rows = database.transaction(() => pruneRows(database, key, audit, batch), how);
    // Processes that wait for the lock must get it.
    await delay(performance.now() - start);
  }
  if (removed > 0) checkpoints.make(keys, most);
  return removed;
}

/** How many rows {@linkcode pruneLog} would remove. */
export function countToPrune(installation: Installation, order: PruneOrder): number {
  return countPrunable(installation.database, boundsOf(installation, order));
}

// Nothing goes that a sink has not had.
function boundsOf(installation: Installation, order: PruneOrder): PruneBounds {
  const { database } = installation;
  return findPrunable(database, order, installation.now(), lastSentToAll(database) ?? Infinity);
}

/** The order that a retention is now. */
export function orderOf({ all, retrievals }: Retention, now: number): PruneOrder {
  const since = (seconds: number | undefined) =>
    seconds === undefined ? undefined : now - seconds * 1000;
  return { before: since(all), observationsBefore: since(retrievals) };
}

/** An order in words, for people and the audit log. */
export function describeOrder({ before, observationsBefore }: PruneOrder): string {
  return [
    ...before === undefined ? [] : [`all from before ${rfc3339(before)}`],
    ...observationsBefore === undefined
      ? []
      : [`retrievals from before ${rfc3339(observationsBefore)}`],
  ].join(", ");
}

/**
 * Prunes the log as its retention says, once a day or when much is to go: a bounded number of rows, so that a run takes
 * a second or so.
 *
 * @returns how many rows were removed.
 * @throws {RekeyError} as {@linkcode pruneLog} does.
 */
export async function pruneByPolicy(installation: Installation): Promise<number> {
  const retention = await sealedRetention(installation);
  if (retention.all === undefined && retention.retrievals === undefined) return 0;
  const now = installation.now();
  const last = Date.parse(newestTime(installation.database, EVENTS.pruned) ?? "");
  // Each pruning is a row of its own: fewer rows than a batch wait until the next day.
  const lately = now - last < DAY_MS && !isAhead(last, now);
  const options = { most: MOST_BY_POLICY, least: lately ? BATCH_ROWS : 1, waitMs: 100 };
  return await pruneLog(installation, orderOf(retention, provenTime(installation, now)), options);
}

/**
 * The time by which rows are old: a day after the newest row that is a day old. Right after a clock was set years ahead,
 * all rows seem old, and they would be lost for good.
 */
function provenTime({ database }: Installation, now: number): number {
  const time = newestTimeUntil(database, now - DAY_MS);
  return Math.min(now, Date.parse(time ?? "") + DAY_MS || 0);
}
