import { isRekeyError } from "../../core/errors.ts";
import { within } from "../../core/async.ts";
import { HERE } from "../../system/here.ts";
import { kill } from "../../system/kill.ts";
import type { Family } from "../../system/programs.ts";
import { type Ending, endingOf } from "../ending.ts";
import { notExecutable, type Program } from "./program.ts";
import { inCallersEnvironment } from "./callers_environment.ts";

/** A running program. */
export class Child {
  /** Set once it has ended. */
  ending: Ending | undefined;
  readonly #ended: Promise<Ending>;
  readonly #family: Family;

  private constructor(private readonly process: Deno.ChildProcess) {
    this.#family = HERE.programs.keepTogether(process);
    this.#ended = endingOf(process).then((ending) => this.ending = ending);
  }

  /**
   * Starts it with rekey's own stdin, stdout and stderr.
   *
   * @param variables of its environment, besides those of the caller.
   * @throws {RekeyError} `program_not_executable`.
   */
  static start({ name, path, args }: Program, variables: Record<string, string>): Child {
    const command = new Deno.Command(path, {
      args: [...args],
      env: variables,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    });
    try {
      return new Child(inCallersEnvironment(() => command.spawn()));
    } catch (error) {
      throw isRekeyError(error) ? error : notExecutable(name, error);
    }
  }

  get id(): number {
    return this.process.pid;
  }

  /** Waits until it has ended, but no longer than that. */
  async endsWithin(milliseconds: number): Promise<Ending | undefined> {
    return await within(milliseconds, this.#ended);
  }

  /** Waits until it has ended. */
  end(): Promise<Ending> {
    return this.#ended;
  }

  signal(signal: Deno.Signal): void {
    if (this.ending === undefined) kill(this.process, signal);
  }

  /** Makes it end: asks it, and after some time does not ask any more. */
  async stop(graceMs: number): Promise<Ending> {
    if (this.ending === undefined && this.#family.ask()) await this.endsWithin(graceMs);
    this.#family.end();
    this.signal("SIGKILL");
    return await this.end();
  }
}
