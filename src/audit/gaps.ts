import { createHash } from "node:crypto";
import type { Sql } from "../core/sql.ts";
import type { AuditColumns } from "./events.ts";
import { TreeRun } from "./merkle.ts";

/** A run of rows that were pruned, and what is needed to verify the rows around them. */
export interface Gap {
  /** Number of the first row. */
  readonly first: number;
  /** Number of the last row. */
  readonly last: number;
  /** The hash of the last row. */
  readonly hash: string;
  /** The rows in the Merkle tree of the log, as {@linkcode TreeRun} writes them. */
  readonly tree: string;
  /** HMAC-SHA-256 over all of it and the hash before the first row, in base64url. */
  readonly seal: string;
}

/** What a log consists of, from its first row to its newest one. */
export type LogPart = AuditColumns | Gap;

/** Whether a part of a log is a run of pruned rows. */
export function isGap(part: LogPart): part is Gap {
  return !Array.isArray(part);
}

/** The number of a part's first row. */
export function firstRowOf(part: LogPart): number {
  return isGap(part) ? part.first : part[0];
}

/** The number of a part's last row. */
export function lastRowOf(part: LogPart): number {
  return isGap(part) ? part.last : part[0];
}

const COLUMNS = "first, last, hash, tree, seal";

/** The gaps that end after one row and not after another one, in order. */
export function gapsBetween(sql: Sql, after: number, until: number): Gap[] {
  return sql.prepare(
    `SELECT ${COLUMNS} FROM rekey_audit_gaps WHERE last > ? AND last <= ? ORDER BY last`,
  ).all(after, until) as unknown as Gap[];
}

/** The gap that has a row; `undefined` if it was not pruned. */
export function gapWith(sql: Sql, seq: number): Gap | undefined {
  const gap = sql.prepare(
    `SELECT ${COLUMNS} FROM rekey_audit_gaps WHERE last >= ? ORDER BY last LIMIT 1`,
  ).get(seq) as Gap | undefined;
  return gap !== undefined && gap.first <= seq ? gap : undefined;
}

/** A gap's rows in the Merkle tree; `undefined` if it is not as rekey has written it. */
export function treeOf({ first, last, tree }: Omit<Gap, "hash" | "seal">): TreeRun | undefined {
  const isRun = Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 1 &&
    last >= first;
  return isRun ? TreeRun.parse(first - 1, last, tree.split(" ")) : undefined;
}

/** Inside a transaction: replaces gaps by one. */
export function putGap(sql: Sql, gap: Gap, replaced: readonly Gap[]): void {
  const remove = sql.prepare("DELETE FROM rekey_audit_gaps WHERE last = ?");
  for (const { last } of replaced) remove.run(last);
  const { first, last, hash, tree, seal } = gap;
  sql.prepare(`INSERT INTO rekey_audit_gaps (${COLUMNS}) VALUES (?, ?, ?, ?, ?)`)
    .run(first, last, hash, tree, seal);
}

/** Which rows were pruned, as a text of which the digest is in the log. */
export class PrunedRanges {
  readonly #hash = createHash("sha256");

  /** Adds the next gap. */
  add({ first, last }: Pick<Gap, "first" | "last">): void {
    this.#hash.update(`${first}-${last}\n`);
  }

  /** SHA-256 over a line for each gap, in base64url. Call it once. */
  digest(): string {
    return this.#hash.digest("base64url");
  }
}

/** The digest of all gaps there are: see {@linkcode PrunedRanges}. */
export function digestOfGaps(sql: Sql): string {
  const lines = sql.prepare(
    `SELECT group_concat(first || '-' || last || char(10), '') AS text
     FROM (SELECT first, last FROM rekey_audit_gaps ORDER BY last)`,
  ).get()?.text;
  return createHash("sha256").update(String(lines ?? "")).digest("base64url");
}
