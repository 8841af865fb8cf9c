import { isRekeyError } from "../../core/errors.ts";
import { type Ending, endingOf } from "../ending.ts";
import { notExecutable, type Program } from "./program.ts";
import { inCallersSurroundings } from "./surroundings.ts";

// A longer one would be over at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A running program. */
export class Child {
  /** Set once it has ended. */
  ending: Ending | undefined;
  readonly #ended: Promise<Ending>;

  private constructor(private readonly process: Deno.ChildProcess) {
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
      return new Child(inCallersSurroundings(() => command.spawn()));
    } catch (error) {
      throw isRekeyError(error) ? error : notExecutable(name, error);
    }
  }

  get id(): number {
    return this.process.pid;
  }

  /** Waits until it has ended, but no longer than that. */
  async endsWithin(milliseconds: number): Promise<Ending | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), Math.min(milliseconds, LONGEST_TIMER_MS));
    });
    const ending = await Promise.race([this.#ended, deadline]);
    clearTimeout(timer);
    return ending;
  }

  /** Waits until it has ended. */
  end(): Promise<Ending> {
    return this.#ended;
  }

  signal(signal: Deno.Signal): void {
    if (this.ending !== undefined) return;
    try {
      this.process.kill(signal);
    } catch (error) {
      // It has just ended, or it has become another user's, as sudo does.
      const { NotFound, PermissionDenied } = Deno.errors;
      const expected = [TypeError, NotFound, PermissionDenied];
      if (!expected.some((kind) => error instanceof kind)) throw error;
    }
  }

  /** Makes it end: asks it by SIGTERM, and after some time does not ask any more. */
  async stop(graceMs: number): Promise<Ending> {
    this.signal("SIGTERM");
    const ending = await this.endsWithin(graceMs);
    if (ending !== undefined) return ending;
    this.signal("SIGKILL");
    return await this.end();
  }
}
