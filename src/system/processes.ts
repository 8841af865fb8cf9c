/** The command with which a program is started. */
export interface Invocation {
  readonly program: string;
  readonly args: string[];
  /** Windows: pass the arguments unquoted, because the program parses the command line itself. */
  readonly windowsRawArguments?: boolean;
}

/** How a system runs commands and signals processes. */
export interface ProcessControl {
  /** Sets up the signals of this process. Call it first. */
  setUpSignals(): void;
  /** Listens for a signal, even if this process was started with the signal ignored. */
  listen(signal: Deno.Signal, take: () => void): void;
  /** Runs an operator's command line in the system's shell. */
  shell(commandLine: string): Invocation;
  /** The same with stdout redirected to stderr, where the shell can do that; elsewhere the caller copies it. */
  shellToStderr(commandLine: string): Invocation;
  /** Quotes a word for a command line. */
  quoted(word: string): string;
  /** Signals that ask a program to end. */
  readonly stopSignals: readonly Deno.Signal[];
  /** The one of them that asks a server to reload its files instead. */
  readonly reloadSignal: Deno.Signal | undefined;
  /** Whether a program can be started in a process group of its own. */
  readonly hasGroups: boolean;
  /** Kills a child process; with its descendants, where the system can. @param group whether it leads a group. */
  killTree(child: Deno.ChildProcess, group?: boolean): Promise<void>;
  readonly identities: Identities;
  /** Whether this process cannot have `wanted` files open besides inherited ones; `undefined` if it can, or for all that is known. */
  lackOfFiles(wanted: number): FileLack | undefined;
  /** The user that this process runs as, as administrators write it. */
  account(): string;
}

/** A process cannot open the files that it needs. */
export interface FileLack {
  /** How many it may have open, as a clause. */
  readonly why: string;
  /** How many of them it was started with, besides the three standard ones. */
  readonly inherited: number;
}

/** Tells processes apart whose numbers are the same. */
export interface Identities {
  /**
   * Where process numbers are unique: the boot id and, after a space, the container; `undefined` where the system does
   * not tell.
   */
  place(): string | undefined;
  /**
   * When a process started, in a unit of the system: no two processes of a place have the same number and start.
   * `undefined` if the process does not run.
   */
  startOf(pid: number): number | undefined;
}

/** A process, distinct from a later one with the same number. */
export interface ProcessId {
  /** See {@linkcode Identities.place}. */
  readonly place: string;
  readonly pid: number;
  /** See {@linkcode Identities.startOf}. */
  readonly started: number;
}

/** Identifies processes, and tells whether they still run. */
export class Processes {
  readonly #place: string | undefined;

  constructor(private readonly identities: Identities) {
    this.#place = identities.place();
  }

  /** `undefined` if the process does not run, or the system does not tell. */
  identify(pid: number): ProcessId | undefined {
    if (this.#place === undefined) return undefined;
    const started = this.identities.startOf(pid);
    return started === undefined ? undefined : { place: this.#place, pid, started };
  }

  /** Whether a process still runs; `unknown` if it belongs to another container. */
  stateOf({ place, pid, started }: ProcessId): "runs" | "gone" | "unknown" {
    if (this.#place === undefined) return "unknown";
    if (place === this.#place) return this.identify(pid)?.started === started ? "runs" : "gone";
    return bootOf(place) === bootOf(this.#place) ? "unknown" : "gone";
  }
}

const bootOf = (place: string) => place.split(" ")[0];

/** How `exec` finds, starts and ends a program. */
export interface Programs {
  /** Used where PATH is not set. */
  readonly defaultPath: string;
  /** The files that a program's name may mean, in search order. @param folders in the syntax of PATH. */
  candidates(name: string, folders: string): string[];
  /** Whether the system would start an existing file. */
  isExecutable(path: string): boolean;
  /** What a file needs to be executable, for hints. */
  readonly needs: string;
  /**
   * Replaces this process by a program: execv(3). It returns only if that fails. `undefined` where no process can.
   *
   * @param argv the program's arguments, beginning with its own name.
   */
  readonly replaceProcess?: (path: string, argv: readonly string[]) => void;
  /** Signals that can be sent to a program. */
  readonly sendable: readonly Deno.Signal[];
  /** Groups a program with the processes that it starts. Call it right after its start. */
  group(child: Deno.ChildProcess): ProcessGroup;
  /** Listens for all signals to pass on, except those that are ignored for both processes, as by nohup. */
  onSignals(take: SignalHandler): void;
  /** Ends this process by a signal, so that its parent sees the cause. It returns if that fails. */
  dieOf(signal: number): void;
}

/** A program that rekey started, with the processes that it started. */
export interface ProcessGroup {
  /** Asks the program to end. @returns `false` if it could not be asked. */
  terminate(): boolean;
  /** Kills what still runs. */
  kill(): void;
}

/** Takes a signal; `isFromTerminal` if the terminal sends it to the program too. */
export type SignalHandler = (signal: Deno.Signal, isFromTerminal: boolean) => void;

/** Sends a signal to a child process, unless it has just ended or runs as another user, as sudo does. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    const expected = [TypeError, NotFound, PermissionDenied];
    if (!expected.some((kind) => error instanceof kind)) throw error;
  }
}

/** What `serve` asks of the system. */
export interface Serving {
  readonly hasUnixSockets: boolean;
  /** Whether several threads can listen on one port, with the system spreading connections over them. */
  readonly sharesPorts: boolean;
  /**
   * Disables core dumps and tracing of this process.
   *
   * @returns whether that worked.
   */
  disableCoreDumps(): boolean;
  /** The same, without effects on child processes. */
  setNotDumpable(): boolean;
  /**
   * Raises the limit of open files to the maximum. Shells and systemd start programs with 1,024, launchd with 256, for
   * programs that use select(2); a server needs one for each connection.
   */
  raiseFileLimit(): void;
  /** Loads what changes sockets that listen: early, since the executable may be replaced while a server runs. */
  listening(): Promise<Listening>;
}

/** Sockets of this process that listen. */
export interface Listening {
  /** Descriptors of those on a TCP port; none where the server does not need them. */
  listeningSockets(port: number): number[];
  /** Makes sockets stop listening. Accepted connections stay open. */
  stopListening(sockets: readonly number[]): void;
}

/** For systems where none of it is needed or possible. */
export const PLAIN_SERVING: Serving = {
  hasUnixSockets: false,
  sharesPorts: false,
  disableCoreDumps: () => false,
  setNotDumpable: () => false,
  raiseFileLimit() {},
  listening: () => Promise.resolve({ listeningSockets: () => [], stopListening() {} }),
};
