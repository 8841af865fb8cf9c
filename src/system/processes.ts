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
   * Where a process number means one process: one boot of the system, and one container on it, with a space between;
   * `undefined` where the system does not tell.
   */
  place(): string | undefined;
  /**
   * When a process started, in the system's own unit: no two processes of a place have the same number and start.
   * `undefined` for one that does not run.
   */
  startOf(pid: number): number | undefined;
}

/** What differs in how a system runs programs. */
export interface ProcessControl {
  /** Sets up signals for this process, before it does anything else. */
  begin(): void;
  /** Listens for a signal, also for one that this process was started with ignored. */
  heed(signal: Deno.Signal, take: () => void): void;
  /** How the system's shell runs a command line of the operator's. */
  shell(commandLine: string): Invocation;
  /** The same with its stdout on stderr, where the shell can do that; elsewhere the caller copies it. */
  shellToStderr(commandLine: string): Invocation;
  /** A word, quoted for such a line. */
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
