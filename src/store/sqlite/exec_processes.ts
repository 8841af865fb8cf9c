import type { Sql } from "../../core/sql.ts";
import type { ProcessId } from "../../system/processes.ts";

/** A process that `exec` has given a secret. Its arguments and environment are never recorded. */
export interface ExecProcess extends ProcessId {
  /** kid of the version that it was given. */
  readonly kid: string;
  /** Base name of the program. */
  readonly program: string;
  /** When it was given the secret, milliseconds since the epoch. */
  readonly since: number;
  /** The running `exec` that signals or restarts it after a rotation; `null` without one. */
  readonly keeper: ProcessId | null;
  /** What it is sent after a rotation, such as `SIGHUP`; `null` when it is restarted. */
  readonly signal: string | null;
  /** The kids in the file of keys that its `exec` keeps up to date, with spaces; `null` without such a file. */
  readonly keys: string | null;
}

/** The rows of `rekey_exec`. Methods that change rows belong inside a transaction. */
export class ExecProcesses {
  constructor(private readonly sql: Sql) {}

  all(): ExecProcess[] {
    return this.sql.prepare("SELECT * FROM rekey_exec ORDER BY since, pid").all().map((row) => {
      const { keeper_pid, keeper_started, ...process } = row as unknown as Row;
      const keeper = keeper_pid === null || keeper_started === null
        ? null
        : { place: process.place, pid: keeper_pid, started: keeper_started };
      return { ...process, keeper };
    });
  }

  /** Replaces a process with the same id, which must have ended. */
  add({ place, pid, started, kid, program, since, keeper, signal, keys }: ExecProcess): void {
    const [keeper_pid, keeper_started] = [keeper?.pid ?? null, keeper?.started ?? null];
    this.sql.prepare(
      `INSERT OR REPLACE INTO rekey_exec
         (place, pid, started, kid, program, since, keeper_pid, keeper_started, signal, keys)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(place, pid, started, kid, program, since, keeper_pid, keeper_started, signal, keys);
  }

  /** @returns whether there is a row of the process. */
  setKeys({ place, pid, started }: ProcessId, keys: string | null): boolean {
    const update = "UPDATE rekey_exec SET keys = ? WHERE place = ? AND pid = ? AND started = ?";
    return this.sql.prepare(update).run(keys, place, pid, started) > 0;
  }

  remove({ place, pid, started }: ProcessId): void {
    this.sql.prepare("DELETE FROM rekey_exec WHERE place = ? AND pid = ? AND started = ?")
      .run(place, pid, started);
  }
}

type Row = Omit<ExecProcess, "keeper"> & {
  keeper_pid: number | null;
  keeper_started: number | null;
};
