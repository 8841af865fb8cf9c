import { rfc3339 } from "../core/clock.ts";
import type { Sql } from "../core/sql.ts";
import { numbered } from "../core/words.ts";
import { type AuditWriter, CHAIN_START } from "./chain.ts";
import { brokenLog, ChainWalk, headBefore } from "./chain_walk.ts";
import { ChainHashes } from "./chain_hashes.ts";
import { type AuditRow, EVENTS, newestHead, RETRIEVALS } from "./events.ts";
import { digestOfGaps, type Gap, gapWith, isGap, putGap, treeOf } from "./gaps.ts";
import { TreeRun } from "./merkle.ts";
import { columnsAfter, partLine } from "./log_parts.ts";

/** Events that may be kept for a shorter time than changes: each retrieval is one, and so is each pruning. */
export const OBSERVATIONS: readonly string[] = [...RETRIEVALS, EVENTS.pruned];

/** Which rows are to go. Instants in milliseconds since the epoch; `undefined`: none for that reason. */
export interface PruneOrder {
  /** Rows from before this time. */
  readonly before?: number | undefined;
  /** {@linkcode OBSERVATIONS} from before this time. */
  readonly observationsBefore?: number | undefined;
}

/** The rows that an order removes: up to a number, and observations up to other numbers. */
export interface PruneBounds {
  readonly all: number;
  readonly byEvent: ReadonlyMap<string, number>;
  /** A row that stays in any case. */
  readonly kept: number;
}

/**
 * Finds the rows that an order removes: of each kind the oldest ones, up to the last before the first that is young.
 * Times that are ahead of the clock do not count, since a clock that was ahead must not keep a log forever. The newest
 * row stays, which the next one follows, and the newest completed rotation.
 *
 * @param now milliseconds since the epoch.
 * @param until the last row that may be removed.
 */
export function findPrunable(
  sql: Sql,
  { before, observationsBefore }: PruneOrder,
  now: number,
  until: number,
): PruneBounds {
  const most = Math.min((newestHead(sql)?.seq ?? 0) - 1, until);
  const bound = (time: number | undefined, where: string, ...values: string[]) => {
    if (time === undefined) return 0;
    const seqOf = (condition: string, ...more: (string | number)[]) =>
      sql.prepare(`SELECT seq FROM rekey_audit WHERE ${where} AND ${condition} LIMIT 1`)
        .get(...values, ...more)?.seq as number | undefined;
    const [first, last] = [rfc3339(time), rfc3339(now)];
    const young = seqOf("time >= ? AND time <= ? ORDER BY seq", first, last) ?? Infinity;
    const end = Math.min(most, young - 1);
    return seqOf("seq <= ? AND time < ? ORDER BY seq DESC", end, first) ?? 0;
  };
  const kept = sql.prepare("SELECT max(seq) AS seq FROM rekey_audit WHERE event = ?")
    .get(EVENTS.rotationCompleted)?.seq;
  return {
    all: bound(before, "true"),
    byEvent: new Map(
      OBSERVATIONS.map((event) => [event, bound(observationsBefore, "event = ?", event)]),
    ),
    kept: Number(kept ?? 0),
  };
}

/** How many rows there are within bounds. */
export function countPrunable(sql: Sql, { all, byEvent, kept }: PruneBounds): number {
  const count = (where: string, ...values: (string | number)[]) =>
    Number(
      sql.prepare(`SELECT count(*) AS n FROM rekey_audit WHERE ${where} AND seq <> ?`)
        .get(...values, kept)!.n,
    );
  return [...byEvent].reduce(
    (sum, [event, last]) => sum + count("event = ? AND seq > ? AND seq <= ?", event, all, last),
    count("seq <= ?", all),
  );
}

/** The oldest rows within bounds, at most `limit`, in order. */
function prunable(sql: Sql, { all, byEvent, kept }: PruneBounds, limit: number): number[] {
  const numbers = (where: string, ...values: (string | number)[]) =>
    sql.prepare(`SELECT seq FROM rekey_audit WHERE ${where} AND seq <> ? ORDER BY seq LIMIT ?`)
      .all(...values, kept, limit).map(({ seq }) => Number(seq));
  const found = [
    ...numbers("seq <= ?", all),
    ...[...byEvent].flatMap(([event, last]) =>
      numbers("event = ? AND seq > ? AND seq <= ?", event, all, last)
    ),
  ];
  return found.sort((a, b) => a - b).slice(0, limit);
}

/**
 * Inside a transaction: replaces the oldest rows within bounds by gaps, and logs it.
 *
 * @param key the audit key.
 * @param why in words, for the log.
 * @returns how many rows were removed.
 * @throws {RekeyError} `check_failed` when one of them is not as it was written: it stays as evidence.
 */
export function pruneRows(
  sql: Sql,
  key: Uint8Array,
  audit: AuditWriter,
  { bounds, limit, why }: { bounds: PruneBounds; limit: number; why: string },
): number {
  const seqs = prunable(sql, bounds, limit);
  if (seqs.length === 0) return 0;
  const hashes = new ChainHashes(key);
  for (const [first, last] of runsOf(seqs)) removeRun(sql, hashes, first, last);
  const reason = `${numbered(seqs.length, "row")}: ${why}; gaps sha256:${digestOfGaps(sql)}`;
  audit.append({ event: EVENTS.pruned, reason });
  return seqs.length;
}

/** The digest of all gaps that a row of a pruning has; `undefined` for any other row. */
export function prunedDigest({ event, reason }: Partial<AuditRow>): string | undefined {
  if (event !== EVENTS.pruned) return undefined;
  return /; gaps sha256:([\w-]{43})$/.exec(String(reason))?.[1];
}

function* runsOf(seqs: readonly number[]): Generator<[first: number, last: number]> {
  for (let at = 0; at < seqs.length;) {
    const first = at;
    do at++; while (seqs[at] === seqs[at - 1]! + 1);
    yield [seqs[first]!, seqs[at - 1]!];
  }
}

// What is removed is verified: otherwise the seal of a gap would cover up a change.
function removeRun(sql: Sql, hashes: ChainHashes, first: number, last: number): void {
  const left = gapWith(sql, first - 1);
  const right = gapWith(sql, last + 1);
  const rows = columnsAfter(sql, first - 1, last - first + 1);
  const start = left?.first ?? first;
  const head = headBefore(sql, start);
  const walk = new ChainWalk(hashes, head);
  const run = new TreeRun(start - 1);
  for (const part of [left, ...rows, right]) {
    if (part === undefined) continue;
    // The row before may have been taken out.
    const bad = start > 1 && head === null
      ? { seq: start - 1, why: "it is missing" }
      : walk.next(part);
    if (bad !== undefined) throw brokenLog(bad);
    if (isGap(part)) run.join(treeOf(part)!);
    else run.append(partLine(part));
  }
  const { seq, hash } = walk.head!;
  const sealed = { first: start, last: seq, hash, tree: String(run) };
  const seal = hashes.gap(head?.hash ?? CHAIN_START, sealed);
  const replaced = [left, right].filter((gap): gap is Gap => gap !== undefined);
  sql.prepare("DELETE FROM rekey_audit WHERE seq BETWEEN ? AND ?").run(first, last);
  putGap(sql, { ...sealed, seal }, replaced);
}
