import type { CommandName } from "./commands.ts";

/** A row of the table. */
export interface Row {
  /** For people. */
  readonly what: string;
  /** Of a path below `~`, the home folder; of an address; of a program. */
  readonly pattern: RegExp;
  /** Whoever writes a file may read it too. */
  readonly how: "reads" | "writes" | "connects to" | "listens on" | "starts";
  /** Commands, by where the secret lives. */
  readonly database: readonly CommandName[];
  readonly keyring: readonly CommandName[];
  readonly why: string;
  /** Set when it depends on the machine whether it is seen at all. */
  readonly perhaps?: true;
}

/** Wherever the secret lives. */
export function both(commands: readonly CommandName[]): Pick<Row, "database" | "keyring"> {
  return { database: commands, keyring: commands };
}

/** A whole path. */
export function at(pattern: string): RegExp {
  return new RegExp(`^(${pattern})$`);
}

/** What may follow the name of one of SQLite's files. */
export const SQLITE = "(-wal|-shm|-journal)?";
