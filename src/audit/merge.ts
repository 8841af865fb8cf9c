import { EVENTS } from "./events.ts";
import type { AuditRow } from "./events.ts";

/** A row of one machine's log. */
export interface MachineRow {
  readonly machine: string;
  readonly row: AuditRow;
}

// What every machine of a fleet writes down when a version has become the current one.
const BEGINNINGS: readonly string[] = [EVENTS.created, EVENTS.rotationCompleted, EVENTS.joined];

/**
 * Merges the logs of machines that share a secret. Each log keeps its own order. Between logs the versions decide:
 * what a machine did before it took over a version comes before all that any machine did after it took that over.
 * Within a version the clocks do, which may differ.
 *
 * @param logs rows of each machine in the order in which they were written.
 */
export function mergeLogs(logs: ReadonlyMap<string, readonly AuditRow[]>): MachineRow[] {
  const placed = [...logs].flatMap(([machine, rows], log) => {
    let [version, time] = [0, ""];
    return rows.map((row) => {
      const begins = row.location === "etcd" && BEGINNINGS.includes(row.event) &&
        (row.version ?? 0) > version;
      if (begins) [version, time] = [row.version!, row.time];
      // A clock that was set back does not change the order of one log.
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
