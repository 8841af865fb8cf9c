import { type AuditRow, EVENTS } from "./events.ts";

interface MachineRow {
  readonly machine: string;
  readonly row: AuditRow;
}

// Each machine of a fleet logs one of these when a version becomes the current one.
const NEW_VERSION_EVENTS: readonly string[] = [
  EVENTS.created,
  EVENTS.rotationCompleted,
  EVENTS.joined,
];

/**
 * Merges the logs of machines that share a secret. The rows of a log stay in order. Rows of different logs are ordered
 * by version, then by time: a machine's rows before it had a version come before any machine's rows after that. Clocks
 * may differ.
 *
 * @param logs the rows of each machine, in order.
 */
export function mergeLogs(logs: ReadonlyMap<string, readonly AuditRow[]>): MachineRow[] {
  const placed = [...logs].flatMap(([machine, rows], log) => {
    let [version, time] = [0, ""];
    return rows.map((row) => {
      const begins = row.location === "etcd" && NEW_VERSION_EVENTS.includes(row.event) &&
        (row.version ?? 0) > version;
      if (begins) [version, time] = [row.version!, row.time];
      // A clock that is set back does not change the order within a log.
      if (row.time > time) time = row.time;
      return { machine, row, at: [version, begins ? "" : time, log, row.seq] as const };
    });
  });
  placed.sort((a, b) => before(a.at, b.at));
  return placed.map(({ machine, row }) => ({ machine, row }));
}

type Place = readonly [version: number, time: string, log: number, seq: number];

function before(a: Place, b: Place): number {
  const at = a.findIndex((part, n) => part !== b[n]);
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1;
}
