import { readFileSync } from "node:fs";

// Bytes of a `-shm` file that SQLite locks: https://www.sqlite.org/walformat.html#wal_locks
const WRITE_LOCK = 120;
const CHECKPOINT_LOCK = 121;

const LOCK =
  /fcntl\(\d+<(.*)-shm>, F_SETLK, \{l_type=F_(\w+), l_whence=SEEK_SET, l_start=(\d+), l_len=(\d+)\}\) += 0/;

/** The call of strace for {@linkcode checkpointsIn}. */
export const TRACING = ["-f", "-qq", "-y", "-e", "trace=fcntl", "-e", "signal=none", "-o"];

/** How many checkpoints of a database a traced process has made. */
export interface Checkpoints {
  /** While it kept writers out. */
  readonly alone: number;
  /** How often it kept them out for that. */
  readonly turns: number;
  /** While others could write, and start the log over. */
  readonly exposed: number;
}

/**
 * Counts the checkpoints in what strace has written of one process. The one that SQLite makes for the last
 * connection that closes takes none of these locks: it has the whole file for itself.
 */
export function checkpointsIn(trace: string, database: string): Checkpoints {
  let [writersAreOut, isTurn, alone, turns, exposed] = [false, false, 0, 0, 0];
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    const [, path, type, start, length] = LOCK.exec(line) ?? [];
    if (path !== database) continue;
    const covers = (byte: number) => Number(start) <= byte && byte < Number(start) + Number(length);
    if (covers(WRITE_LOCK)) [writersAreOut, isTurn] = [type === "WRLCK", false];
    if (type !== "WRLCK" || !covers(CHECKPOINT_LOCK)) continue;
    if (!writersAreOut) {
      exposed++;
      continue;
    }
    alone++;
    if (!isTurn) turns++;
    isTurn = true;
  }
  return { alone, turns, exposed };
}
