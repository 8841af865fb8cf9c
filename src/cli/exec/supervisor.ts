import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import type { Ending } from "../../system/command_line.ts";
import { Child } from "./child.ts";
import { SYSTEM } from "../../system/system.ts";
import { Backoff } from "../../core/backoff.ts";
import type { Handout } from "./handout.ts";
import type { KeysFile } from "./keys_file.ts";
import type { KnownVersions, Watch } from "./watch.ts";

/** What to do with the program after a rotation. */
type OnRotate =
  | { readonly signal: Deno.Signal }
  /** Stop it (kill it after this many milliseconds) and start it with the new value. */
  | { readonly restartAfterMs: number };

/** Callbacks of the supervisor. */
interface SupervisorContext {
  readonly watch: Watch;
  /** The program's file of keys, if it has one. */
  readonly keysFile: KeysFile | undefined;
  /** Gets the program and the current secret. @throws {RekeyError} when the secret is not available. */
  give(): Promise<Handout>;
  /** Called when the program has started. */
  began(pid: number, given: Handout): Promise<void>;
  /** Records what could not be recorded before. */
  madeUp(): Promise<void>;
  /**
   * Records what the file of keys holds, of which the program has been told, and the program in another database.
   *
   * @returns whether that was possible.
   */
  followed(kids: readonly string[] | undefined): Promise<boolean>;
  remark(text: string): void;
  warn(text: string): void;
}

// Each check costs one stat of the file and one read of SQLite's change counter.
const EVERY_MS = 250;

// A program that verifies by the file should know a new key before its first token comes.
const EVERY_MS_WITH_FILE = 50;

// Time for the program to read the file after a signal, before rotations count on it.
const READING_MS = 100;

const ENDING: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGBREAK"];

/** Runs a program until it ends, notifies or restarts it after rotations, and forwards signals. */
export class Supervisor {
  readonly #backoff = new Backoff();
  #child: Child;
  readonly #noted: Promise<void>;
  #given: Pick<Handout, "kid" | "previous">;
  #toldToEnd = false;
  #restarting = false;
  #isNoted = true;
  #refused: string | undefined;

  /** Starts the program. @throws {RekeyError} `program_not_executable`. */
  constructor(
    private readonly onRotate: OnRotate | undefined,
    private readonly around: SupervisorContext,
    given: Handout,
  ) {
    const { program, variables, absent } = given;
    SYSTEM.programs.onSignals((signal, isOfTerminal) => this.#pass(signal, isOfTerminal));
    this.#child = Child.start(program, variables, absent);
    this.#noted = around.began(this.#child.id, given);
    this.#given = given;
  }

  /** Waits for the program to end. @throws {RekeyError} when it cannot be restarted. */
  async ended(): Promise<Ending> {
    await this.#noted;
    const { watch, keysFile } = this.around;
    if (this.onRotate === undefined && keysFile === undefined) return await this.#child.end();
    for (;;) {
      const every = keysFile === undefined ? EVERY_MS : EVERY_MS_WITH_FILE;
      const ending = await this.#child.endsWithin(every);
      if (ending !== undefined) return ending;
      await this.around.madeUp();
      const versions = watch.versions();
      if (versions === undefined || this.#toldToEnd) continue;
      const isNew = await keysFile?.update(versions) ?? false;
      const last = await this.#react(versions, isNew);
      if (last !== undefined) return last;
      if (isNew || versions.isOther) this.#isNoted = false;
      if (!this.#isNoted) await this.#note(isNew);
    }
  }

  async #note(isNew: boolean): Promise<void> {
    const isTold = isNew && typeof this.onRotate === "object" && "signal" in this.onRotate;
    if (isTold) await this.#child.endsWithin(READING_MS);
    this.#isNoted = await this.around.followed(this.around.keysFile?.kids);
  }

  /** @param isNew whether the file of keys has changed. @returns how the program ended, if it does not continue. */
  async #react(versions: KnownVersions, isNew: boolean): Promise<Ending | undefined> {
    const { onRotate } = this;
    if (onRotate === undefined) return;
    if ("restartAfterMs" in onRotate) {
      return this.#isOutdated(versions) ? await this.#restart(onRotate.restartAfterMs) : undefined;
    }
    const { kid } = versions.current;
    const isRotated = kid !== this.#given.kid;
    if (!isRotated && !isNew) return;
    this.#child.signal(onRotate.signal);
    this.#given = { kid, previous: undefined };
    const why = isRotated ? `the secret was rotated (kid ${kid})` : "the file of keys has changed";
    this.around.remark(`${why}: sent ${onRotate.signal}`);
  }

  // A previous value must leave the program when its grace window ends.
  #isOutdated({ current, previous }: KnownVersions): boolean {
    const { kid, previous: before } = this.#given;
    const hasEnded = before !== undefined && !previous.some((row) => row.kid === before);
    return current.kid !== kid || hasEnded;
  }

  async #restart(graceMs: number): Promise<Ending | undefined> {
    // Gets the value before stopping the program: an old value is better than no program.
    const given = await this.#take();
    if (given === undefined) return;
    const isSame = given.kid === this.#given.kid && given.previous === this.#given.previous;
    if (isSame) return;
    const isRotated = given.kid !== this.#given.kid;
    if (this.#child.ending !== undefined || this.#toldToEnd) return;
    this.#restarting = true;
    const ending = await this.#child.stop(graceMs);
    this.#restarting = false;
    if (this.#toldToEnd) return ending;
    this.#child = Child.start(given.program, given.variables, given.absent);
    this.#given = given;
    await this.around.began(this.#child.id, given);
    this.around.remark(
      isRotated
        ? `the secret was rotated (kid ${given.kid}): restarted with the new one`
        : "the grace window has ended: restarted without the previous value",
    );
  }

  async #take(): Promise<Handout | undefined> {
    if (this.#backoff.isOn) return undefined;
    try {
      const given = await this.around.give();
      this.#backoff.succeeded();
      this.#refused = undefined;
      return given;
    } catch (error) {
      this.#refuse(asRefusalOrBug(error));
      return undefined;
    }
  }

  #refuse(why: RekeyError): void {
    this.#backoff.failed(why);
    if (this.#refused === why.code) return;
    this.#refused = why.code;
    this.around.warn(`the program continues with an old secret: ${why.message}`);
  }

  #pass(signal: Deno.Signal, isOfTerminal: boolean): void {
    // A signal to end during a restart means: do not start it again.
    this.#toldToEnd ||= signal === "SIGTERM" || (this.#restarting && ENDING.includes(signal));
    if (!isOfTerminal) this.#child.signal(signal);
  }
}
