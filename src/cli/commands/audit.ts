import { listAudit } from "../../audit/reader.ts";
import { exportedParts, partLine } from "../../audit/log_parts.ts";
import { mergeLogs } from "../../audit/merge.ts";
import { type AuditRow, type Head, showHead } from "../../audit/events.ts";
import type { Context } from "../context.ts";
import { printable, toTheMinute } from "../format.ts";
import { basename } from "node:path";
import { printableJson } from "../../core/encoding.ts";
import { RekeyError, usageError } from "../../core/errors.ts";
import { readInputText } from "../../files/input_files.ts";
import { brokenLog } from "../../audit/chain_walk.ts";
import { verifyLog } from "../../secret/verified_log.ts";

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

/** Shows the newest audit rows, in order. */
export async function auditList(options: AuditListFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const { limit, of: version, ...filter } = options;
  const rows = listAudit(installation.database, limit, { ...filter, version });
  output.list(rows, [HEADINGS, ...rows.map(auditCells)], () => [NARROW, ...rows.map(narrowCells)]);
  const oldest = rows[0]?.seq ?? 1;
  const hasOlder = rows.length === limit &&
    listAudit(installation.database, 1, { before: oldest }).length > 0;
  if (hasOlder) output.remark(`Older rows: --before ${oldest}`);
}

/** Prints the whole log as JSON lines. */
export async function auditExport(_options: unknown, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  output.lines(exportedParts(installation.database).map(partLine));
}

const HEADINGS = ["SEQ", "TIME", "EVENT", "VERSION", "LOCATION", "TOOK", "ACTOR", "REASON"];

const NARROW = ["SEQ", "TIME (UTC)", "EVENT", "V", "ACTOR", "REASON"];

// Leaves out location and duration, to make room for actor and reason.
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

/** A row for people, column by column. */
export function auditCells(row: AuditRow): string[] {
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

/** Merges outputs of `audit export`; each file name names a machine. */
export function auditMerge({ files }: { files: readonly string[] }, { output }: Context): void {
  const logs = new Map<string, AuditRow[]>();
  for (const path of files) {
    const machine = basename(path).replace(/\.[^.]*$/, "");
    if (logs.has(machine)) throw unusable(path, "another file has the same name");
    logs.set(machine, rowsIn(path));
  }
  output.lines(mergeLogs(logs).map(({ machine, row }) => printableJson({ machine, ...row })));
}

function rowsIn(path: string): AuditRow[] {
  const lines = readInputText(path).split("\n").filter((line) => line !== "");
  // Rows that were pruned have no place in time.
  return lines.map((line) => parsed(path, line)).filter((row) => !("pruned" in row)).map((row) => {
    const { seq, time, event, version, location } = row;
    const sound = Number.isSafeInteger(seq) && typeof time === "string" &&
      typeof event === "string" && (version === null || Number.isSafeInteger(version)) &&
      (location === null || typeof location === "string");
    if (!sound) throw unusable(path, "a line is not an audit row");
    return row;
  });
}

function parsed(path: string, line: string): AuditRow {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as AuditRow;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw unusable(path, "a line is not a JSON object");
}

function unusable(path: string, why: string): RekeyError {
  return usageError(
    `Cannot merge ${path}: ${why}`,
    "Give files that `rekey audit export` has written, one for each machine and named by it",
  );
}

/** Flags of `rekey audit verify`. */
export interface AuditVerifyFlags {
  readonly expectHead?: Head;
}

/** Verifies the audit log's hash chain, up to the known heads. */
export async function auditVerify(options: AuditVerifyFlags, { secrets, output }: Context) {
  const { installation, version } = await secrets.open();
  const { rows, pruned, head, unknown, bad, kept, unavailable } = await verifyLog(
    installation,
    version,
    (count) => output.progress(`${count} rows`),
    options.expectHead,
  );
  output.progress("");
  if (bad !== null) throw brokenLog(bad);
  mustBeKnown(options.expectHead, unknown, "`rekey audit verify` prints the newest one");
  output.result({
    valid: true,
    rows,
    pruned,
    head: head && showHead(head),
    keyring_head: kept && showHead(kept),
  }, [
    `The chain of ${rows} audit rows holds`,
    ...pruned === 0 ? [] : [`across ${pruned} rows that were pruned`],
    ...head === null ? [] : [`head ${showHead(head)}`],
    ...kept === null || unknown.includes(kept)
      ? []
      : [`it still holds row ${kept.seq}, whose hash the keyring keeps`],
  ]);
  const isPruned = kept !== null && unknown.includes(kept);
  const why = isPruned ? ": its row was pruned" : unavailable && ` (${unavailable.code})`;
  if (why) output.warning(`the head kept in the keyring could not be compared${why}`);
}

/** @throws {RekeyError} `failed` when an expected head cannot be compared, since its row was pruned. */
export function mustBeKnown(head: Head | undefined, unknown: readonly Head[], hint: string): void {
  if (head === undefined || !unknown.includes(head)) return;
  throw new RekeyError(
    "failed",
    `Cannot compare row ${head.seq}: it was pruned; nothing else is wrong with the log`,
    { hint: `Expect a head of a row that is still there: ${hint}` },
  );
}
