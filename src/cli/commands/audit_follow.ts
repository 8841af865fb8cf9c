import { type AuditRow, newestHead } from "../../audit/events.ts";
import { auditRowsAfter } from "../../audit/reader.ts";
import { within } from "../../core/async.ts";
import { SYSTEM } from "../../system/system.ts";
import type { Context } from "../context.ts";
import { auditCells } from "./audit.ts";

const LOOK_EVERY_MS = 200;

const ROWS_AT_ONCE = 1_000;

/** Flags of `rekey audit follow`. */
export interface AuditFollowFlags {
  /** The row before the first one that is shown; default: the newest one. */
  readonly after?: number;
}

/** Prints audit rows as they are written, until it is stopped. */
export async function auditFollow({ after }: AuditFollowFlags, { secrets, output }: Context) {
  const stopped = Promise.withResolvers<"stopped">();
  for (const signal of SYSTEM.processes.stopSignals) {
    SYSTEM.processes.listen(signal, () => stopped.resolve("stopped"));
  }
  const print = (row: AuditRow) =>
    output.options.json
      ? output.line({ ...row })
      : output.result({}, [auditCells(row).filter((cell) => cell !== "").join("  ")]);
  let [last, known] = [after, 0];
  do {
    secrets.refresh();
    const { database } = (await secrets.open()).installation;
    const newest = newestHead(database)?.seq ?? 0;
    // A restoration has put a shorter log in its place.
    if (newest < known) last = newest - 1;
    last ??= newest;
    known = newest;
    for (let rows; (rows = auditRowsAfter(database, last, ROWS_AT_ONCE)).length > 0;) {
      rows.forEach(print);
      last = rows.at(-1)!.seq;
    }
  } while (await within(LOOK_EVERY_MS, stopped.promise) === undefined);
}
