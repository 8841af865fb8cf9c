/** A program that was started, and what is known of what it has started in turn. */
export interface Family {
  /** Asks it to end. @returns `false` where it could not be asked. */
  ask(): boolean;
  /** Ends what is left of it, without asking. */
  end(): void;
}

/** Takes a signal; `isOfTerminal` when the terminal sends it to the program as well. */
export type TakeSignal = (signal: Deno.Signal, isOfTerminal: boolean) => void;

/** What differs in how `exec` finds, starts and ends a program. */
export interface Programs {
  /** Folders of programs where there is no `PATH`, written like one. */
  readonly usualFolders: string;
  /** Where a program of that name may be, in the order in which it is looked for. @param folders as `PATH` has them. */
  placesOf(name: string, folders: string): string[];
  /** Whether the system would start a file, which is there. */
  mayExecute(path: string): boolean;
  /** What a file needs that the system is to start, for hints. */
  readonly needs: string;
  /**
   * Makes this process the program, which keeps the process's id, environment, open files and standing with its parent.
   * It comes back only when that cannot be done. Not there where no process can become another.
   *
   * @param argv the program's arguments, its own name first.
   */
  readonly become?: (path: string, argv: readonly string[]) => void;
  /** Signals that can be sent to a program. */
  readonly sendable: readonly Deno.Signal[];
  /** Keeps a program together with what it starts, from right after its start. */
  keepTogether(child: Deno.ChildProcess): Family;
  /**
   * Takes every signal that the program should have. Those that whoever started rekey wants ignored, as nohup does, stay
   * so for both.
   */
  onSignals(take: TakeSignal): void;
  /** Ends this process by a signal, so that its parent sees what happened. It comes back when that cannot be done. */
  dieOf(signal: number): void;
}
