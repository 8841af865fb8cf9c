import { everyAuditRow, listAudit } from "../../audit/reader.ts";
import type { AuditRow } from "../../audit/events.ts";
import type { Context } from "../context.ts";
import { printable, table } from "../describe.ts";

/** Flags of `rekey audit list`. */
export interface AuditListFlags {
  readonly limit: number;
}

/** Shows the newest audit rows, oldest of them first. */
export async function auditList(options: AuditListFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const rows = listAudit(installation.database, options.limit);
  if (output.options.json) {
    for (const row of rows) output.line(row);
  } else {
    output.result({}, table([HEADINGS, ...rows.map(cells)]));
  }
}

/** Prints the whole log as JSON lines. */
export async function auditExport(_options: unknown, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  for (const row of everyAuditRow(installation.database)) output.line(row);
}

const HEADINGS = ["SEQ", "TIME", "EVENT", "VERSION", "LOCATION", "TOOK", "ACTOR", "REASON"];

function cells(row: AuditRow): string[] {
  const took = row.duration === null ? "" : `${(row.duration / 1000).toFixed(1)} ms`;
  const { seq, time, event, version, location, actor, reason } = row;
  return [
    `${seq}`,
    time,
    event,
    `${version ?? ""}`,
    location ?? "",
    took,
    printable(actor),
    printable(reason ?? ""),
  ];
}
