/** How a program is started. */
export interface Invocation {
  readonly program: string;
  readonly args: string[];
  /** Windows: the arguments are handed on as they are, since the program reads the line itself. */
  readonly windowsRawArguments?: boolean;
}

/** What a system says of processes. */
export interface Identities {
  /**
   * Where process numbers count: a word for one start of the system, and what tells containers of it apart; `undefined`
   * where the system does not tell.
   */
  place(): string | undefined;
  /**
   * When a process started, in a unit of the system's: with its number that tells it from every other one of its place.
   * `undefined` for one that does not run.
   */
  startOf(pid: number): number | undefined;
}

/** What differs in how a system runs programs. */
export interface ProcessControl {
  /** What this process does with signals from its beginning on. */
  begin(): void;
  /** Listens for a signal, be it one that whoever started rekey wants ignored. */
  heed(signal: Deno.Signal, take: () => void): void;
  /** The system's shell with a command line of the operator's. */
  shell(commandLine: string): Invocation;
  /** The same with stdout as stderr, where the shell can do that for a whole line; elsewhere whoever runs it copies it. */
  shellAside(commandLine: string): Invocation;
  /** A word of such a line, as it is written to be taken as it is. */
  quoted(word: string): string;
  /** Signals by which a program is asked to end. */
  readonly stopping: readonly Deno.Signal[];
  /** The one of them by which a server is asked to read its files again instead. */
  readonly reloading: Deno.Signal | undefined;
  /** Ends a program of ours; where the system can, with what it has started. */
  endTree(child: Deno.ChildProcess): Promise<void>;
  readonly identities: Identities;
  /** Who runs this process, as the system's administrators write it. */
  account(): string;
}
