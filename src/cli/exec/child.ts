import { basename } from "node:path";
import { isRekeyError, RekeyError } from "../../core/errors.ts";
import { within } from "../../core/async.ts";
import { SYSTEM } from "../../system/system.ts";
import { type Ending, endingOf } from "../../system/command_line.ts";
import { inCallersEnvironment } from "../environment.ts";
import { kill, type ProcessGroup } from "../../system/processes.ts";

/** A program to start, with its arguments. */
export interface Program {
  /** As given on the command line. */
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * Finds a program as a shell does: by its path, or in the folders of `PATH`.
 *
 * @throws {RekeyError} `program_not_found`, or `program_not_executable` when the file exists but cannot be executed.
 */
export function findProgram(
  name: string,
  args: readonly string[],
  folders: string | undefined,
): Program {
  const { candidates, isExecutable, defaultPath } = SYSTEM.programs;
  const there = candidates(name, folders ?? defaultPath).filter(isThere);
  const path = there.find((path) => isFile(path) && isExecutable(path));
  if (path !== undefined) return { name, path, args };
  throw there.length > 0 ? notExecutable(name) : notFound(name);
}

function notFound(name: string): RekeyError {
  const hint = /[\\/]/.test(name) ? "Is its path right?" : "Is its folder in PATH?";
  const message = `Cannot start ${shown(name)}: there is no such program`;
  return new RekeyError("program_not_found", message, { hint });
}

/** The error for a program that exists but cannot be started. */
export function notExecutable(name: string, cause?: unknown): RekeyError {
  return new RekeyError(
    "program_not_executable",
    `Cannot start ${shown(name)}: it is there, but the system cannot run it`,
    { hint: SYSTEM.programs.needs, cause },
  );
}

/** Base name of a program, for messages and the audit log. An unusual one is not shown: it may be a mistyped secret. */
export function shown(name: string): string {
  const last = basename(name);
  return /^[\w.+@-]{1,40}$/.test(last) ? last : "the program";
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // Without permission to look, the file may exist.
    return error instanceof Deno.errors.PermissionDenied;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A running program. */
export class Child {
  /** Set once it has ended. */
  ending: Ending | undefined;
  readonly #ended: Promise<Ending>;
  readonly #group: ProcessGroup;

  private constructor(private readonly process: Deno.ChildProcess) {
    this.#group = SYSTEM.programs.group(process);
    this.#ended = endingOf(process).then((ending) => this.ending = ending);
  }

  /**
   * Starts it with rekey's own stdin, stdout and stderr.
   *
   * @param variables added to the caller's environment.
   * @param absent names of variables that it does not inherit.
   * @throws {RekeyError} `program_not_executable`.
   */
  static start(
    { name, path, args }: Program,
    variables: Record<string, string>,
    absent: readonly string[],
  ): Child {
    const command = new Deno.Command(path, {
      args: [...args],
      env: variables,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    });
    try {
      return new Child(inCallersEnvironment(() => command.spawn(), absent));
    } catch (error) {
      throw isRekeyError(error) ? error : notExecutable(name, error);
    }
  }

  get id(): number {
    return this.process.pid;
  }

  /** Waits up to `milliseconds` for the program to end. */
  async endsWithin(milliseconds: number): Promise<Ending | undefined> {
    return await within(milliseconds, this.#ended);
  }

  /** Waits for the program to end. */
  end(): Promise<Ending> {
    return this.#ended;
  }

  signal(signal: Deno.Signal): void {
    if (this.ending === undefined) kill(this.process, signal);
  }

  /** Asks the program to end, and kills it after `graceMs`. */
  async stop(graceMs: number): Promise<Ending> {
    if (this.ending === undefined && this.#group.terminate()) await this.endsWithin(graceMs);
    this.#group.kill();
    this.signal("SIGKILL");
    return await this.end();
  }
}
