import { RekeyError } from "../core/errors.ts";
import type { ArrayQuery, Sql } from "../core/sql.ts";
import { type AuditColumns, type AuditRow, EVENTS } from "./events.ts";
import { firstRowOf, type Gap, gapsBetween, isGap, lastRowOf, type LogPart } from "./gaps.ts";
import { COLUMNS } from "./reader.ts";

const BATCH_ROWS = 1_000;

/**
 * The whole log, oldest part first, read in batches.
 *
 * @throws {RekeyError} `busy` when rows that were to come next were pruned together with rows before them.
 */
export function* logParts(sql: Sql): Generator<LogPart> {
  const pruned = newestPrune(sql);
  // A forged row may have a number below 1.
  for (let after = Number.MIN_SAFE_INTEGER;;) {
    const { parts, isWhole } = partsAfter(sql, after, BATCH_ROWS);
    const overlaps = parts[0] !== undefined && firstRowOf(parts[0]) <= after;
    if (overlaps && newestPrune(sql) !== pruned) throw prunedMeanwhile();
    yield* parts;
    if (isWhole) return;
    after = lastRowOf(parts.at(-1)!);
  }
}

/**
 * The whole log like {@linkcode logParts}, for an export: its newest row about a pruning names the gaps that are in it.
 *
 * @throws {RekeyError} `busy` at the end when rows were pruned meanwhile: some of them are in it, and others are not.
 */
export function* exportedParts(sql: Sql): Generator<LogPart> {
  const pruned = newestPrune(sql);
  yield* logParts(sql);
  if (newestPrune(sql) !== pruned) throw prunedMeanwhile();
}

function newestPrune(sql: Sql): unknown {
  return sql.prepare("SELECT max(seq) AS seq FROM rekey_audit WHERE event = ?")
    .get(EVENTS.pruned)?.seq;
}

function prunedMeanwhile(): RekeyError {
  return new RekeyError("busy", "Cannot read the audit log: it was pruned meanwhile", {
    hint: "Run the command again",
  });
}

const TRIES = 3;

/** The parts of the log after a row, in order: at most `limit` rows and the gaps before each. */
export function partsAfter(
  sql: Sql,
  after: number,
  limit: number,
): { readonly parts: readonly LogPart[]; readonly isWhole: boolean } {
  for (let tries = 1;; tries++) {
    const rows = columnsAfter(sql, after, limit);
    const isWhole = rows.length < limit;
    const until = isWhole ? Number.MAX_SAFE_INTEGER : rows.at(-1)![0];
    const gaps = gapsBetween(sql, after, until);
    if (gaps.length === 0) return { parts: rows, isWhole };
    const parts = [...gaps, ...rows].sort((a, b) => firstRowOf(a) - firstRowOf(b));
    // Between the two reads rows may have become a gap; a forged gap stays over rows.
    if (tries === TRIES || !parts.some(overlapsNext)) return { parts, isWhole };
  }
}

function overlapsNext(part: LogPart, at: number, parts: readonly LogPart[]): boolean {
  const next = parts[at + 1];
  return next !== undefined && firstRowOf(next) <= lastRowOf(part);
}

/** Like `auditRowsAfter`, for many rows. */
export function columnsAfter(sql: Sql, seq: number, limit: number): AuditColumns[] {
  let query = queries.get(sql);
  if (query === undefined) {
    query = sql.prepareArrays(
      `SELECT ${COLUMNS} FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT ?`,
    );
    queries.set(sql, query);
  }
  return query.all(seq, limit) as unknown as AuditColumns[];
}

const queries = new WeakMap<Sql, ArrayQuery>();

/** A row as `audit export` writes it, without the line feed. Checkpoints are signed over these bytes. */
export function exportLine(row: AuditRow): string {
  const { seq, time, event, version, kid, location, duration, actor, reason, hash } = row;
  return lineOf([seq, time, event, version, kid, location, duration, actor, reason, hash]);
}

/**
 * A part of the log as `audit export` writes it: a row as {@linkcode exportLine}; for a gap the numbers of its first and
 * last row, and their hashes in the tree.
 */
export function partLine(part: LogPart): string {
  return isGap(part) ? gapLine(part) : lineOf(part);
}

/** The line of a gap: see {@linkcode partLine}. */
export function gapLine({ first, last, tree }: Pick<Gap, "first" | "last" | "tree">): string {
  return JSON.stringify({ pruned: [first, last], tree: tree.split(" ") });
}

function lineOf(row: AuditColumns): string {
  const [seq, time, event, version, kid, location, duration, actor, reason, hash] = row;
  const line = { seq, time, event, version, kid, location, duration, actor, reason, hash };
  return JSON.stringify(line);
}
