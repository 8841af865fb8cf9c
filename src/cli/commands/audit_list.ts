import { everyAuditRow, listAudit } from "../../audit/reader.ts";
import type { AuditRow } from "../../audit/events.ts";
import type { Context } from "../context.ts";
import { printable, toTheMinute } from "../describe.ts";

/** Flags of `rekey audit list`. Instants in milliseconds since the epoch. */
export interface AuditListFlags {
  readonly limit: number;
  readonly before?: number;
  readonly event?: string[];
  readonly of?: number[];
  readonly actor?: string[];
  readonly since?: number;
  readonly until?: number;
}

/** Shows the newest audit rows, oldest of them first. */
export async function auditList(options: AuditListFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const { limit, of: version, ...filter } = options;
  const rows = listAudit(installation.database, limit, { ...filter, version });
  if (output.options.json) {
    for (const row of rows) output.line(row);
  } else {
    output.table([HEADINGS, ...rows.map(cells)], () => [NARROW, ...rows.map(narrowCells)]);
  }
  const oldest = rows[0]?.seq ?? 1;
  if (rows.length === limit && oldest > 1) output.remark(`Older rows: --before ${oldest}`);
}

/** Prints the whole log as JSON lines. */
export async function auditExport(_options: unknown, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  for (const row of everyAuditRow(installation.database)) output.line(row);
}

const HEADINGS = ["SEQ", "TIME", "EVENT", "VERSION", "LOCATION", "TOOK", "ACTOR", "REASON"];

const NARROW = ["SEQ", "TIME (UTC)", "EVENT", "V", "ACTOR", "REASON"];

// Without what the figures of `stats` say better, so that who and why are seen.
function narrowCells({ seq, time, event, version, actor, reason }: AuditRow): string[] {
  return [
    `${seq}`,
    toTheMinute(time),
    event.replace(/^JWT secret /, ""),
    `${version ?? ""}`,
    printable(actor),
    printable(reason ?? ""),
  ];
}

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
