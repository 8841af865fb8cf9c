/** How a program is started. */
export interface Invocation {
  readonly program: string;
  readonly args: string[];
  /** Windows: the arguments are handed on as they are, since the program reads the line itself. */
  readonly windowsRawArguments?: boolean;
}

/** What differs in how a system runs programs. */
export interface ProcessControl {
  /** The system's shell with a command line of the operator's. */
  shell(commandLine: string): Invocation;
  /** A word of such a line, as it is written to be taken as it is. */
  quoted(word: string): string;
}
