import type { Sql } from "../../core/sql.ts";
import type { ProcessId } from "../../system/processes.ts";

/** A process that `exec` has given a secret: never its arguments, never its environment. */
export interface ExecProcess extends ProcessId {
  /** Of the version that it was given. */
  readonly kid: string;
  /** The last part of the program's name. */
  readonly program: string;
  /** When it was given the secret, milliseconds since the epoch. */
  readonly since: number;
  /** The `exec` that tells it of rotations, while that one runs; `null` without one. */
  readonly keeper: ProcessId | null;
  /** What the keeper sends it after a rotation, such as `SIGHUP`; `null` when it starts it again. */
  readonly signal: string | null;
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

  /** One that has the number of another one takes its place: that one is gone. */
  add({ place, pid, started, kid, program, since, keeper, signal }: ExecProcess): void {
    this.sql.prepare(
      `INSERT OR REPLACE INTO rekey_exec
         (place, pid, started, kid, program, since, keeper_pid, keeper_started, signal)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      place,
      pid,
      started,
      kid,
      program,
      since,
      keeper?.pid ?? null,
      keeper?.started ?? null,
      signal,
    );
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
