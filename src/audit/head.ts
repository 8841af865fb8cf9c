import type { Sql } from "../core/sql.ts";

/** A point of the log: whoever keeps one can tell later whether the log was cut off or rewritten. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The newest row's; `null` in an empty log. */
export function newestHead(sql: Sql): Head | null {
  const row = sql.prepare("SELECT seq, hash FROM rekey_audit ORDER BY seq DESC LIMIT 1").get();
  return row === undefined ? null : { seq: Number(row.seq), hash: String(row.hash) };
}

/** Whether the log has this row, with this hash. It says nothing of the rows before it. */
export function holdsHead(sql: Sql, { seq, hash }: Head): boolean {
  return sql.prepare("SELECT 1 FROM rekey_audit WHERE seq = ? AND hash = ?").get(seq, hash) !==
    undefined;
}

/** A head as it is printed: `SEQ:HASH`. */
export function showHead({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}

/** Reads what {@linkcode showHead} printed; `null` for anything else. */
export function readHead(text: unknown): Head | null {
  const [, seq, hash] = /^([1-9]\d{0,14}):([\w-]{43})$/.exec(String(text)) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}
