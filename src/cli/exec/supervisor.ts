import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import { LiveSecrets } from "../../secret/view.ts";
import type { Environment } from "../../store/environment.ts";
import type { Ending } from "../../system/command_line.ts";
import { Child, type Program } from "./child.ts";
import { SYSTEM } from "../../system/system.ts";
import { Backoff } from "../../core/async.ts";

/** Watches which version is current; survives a missing or replaced database. */
export class Watch {
  readonly #secrets: LiveSecrets;
  #trouble: string | undefined;

  constructor(environment: Environment, private readonly warn: (text: string) => void) {
    const valueless = () => Promise.reject(new Error("A watch needs no value"));
    this.#secrets = new LiveSecrets(environment, valueless);
  }

  /** The kid of the current version; `undefined` while it is not known. Each problem is reported once. */
  current(): string | undefined {
    try {
      const [current] = this.#secrets.view().versions;
      this.#trouble = undefined;
      return current!.kid;
    } catch (error) {
      this.#notice(asRefusalOrBug(error));
      return undefined;
    }
  }

  close(): void {
    this.#secrets.close();
  }

  #notice({ code, message }: RekeyError): void {
    // A writer holds the database for an instant only.
    if (code === "busy" || code === this.#trouble) return;
    this.#trouble = code;
    this.warn(
      code === "not_initialised"
        ? "the secret is gone: it was destroyed, or its folder was moved; the program still has it"
        : `rotations are not seen at present: ${message}`,
    );
  }
}

/** What to do with the program after a rotation. */
type OnRotate =
  | { readonly signal: Deno.Signal }
  /** Stop it (kill it after this many milliseconds) and start it with the new value. */
  | { readonly restartAfterMs: number };

/** A program with the secret in its environment. */
export interface Handout {
  /** As found at present. */
  readonly program: Program;
  readonly kid: string;
  readonly variables: Record<string, string>;
  /** Whether the audit log records that the program gets the secret. */
  readonly written: boolean;
}

/** Callbacks of the supervisor. */
interface SupervisorContext {
  readonly watch: Watch;
  /** Gets the program and the current secret. @throws {RekeyError} when the secret is not available. */
  give(): Promise<Handout>;
  /** Called when the program has started. */
  began(pid: number, given: Handout): Promise<void>;
  remark(text: string): void;
  warn(text: string): void;
}

// Each check costs one stat of the file and one read of SQLite's change counter.
const EVERY_MS = 250;

const ENDING: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGBREAK"];

/** Runs a program until it ends, notifies or restarts it after rotations, and forwards signals. */
export class Supervisor {
  readonly #backoff = new Backoff();
  #child: Child;
  readonly #noted: Promise<void>;
  #kid: string;
  #toldToEnd = false;
  #restarting = false;
  #refused: string | undefined;

  /** Starts the program. @throws {RekeyError} `program_not_executable`. */
  constructor(
    private readonly onRotate: OnRotate | undefined,
    private readonly around: SupervisorContext,
    given: Handout,
  ) {
    const { program, kid, variables } = given;
    SYSTEM.programs.onSignals((signal, isOfTerminal) => this.#pass(signal, isOfTerminal));
    this.#child = Child.start(program, variables);
    this.#noted = around.began(this.#child.id, given);
    this.#kid = kid;
  }

  /** Waits for the program to end. @throws {RekeyError} when it cannot be restarted. */
  async ended(): Promise<Ending> {
    await this.#noted;
    if (this.onRotate === undefined) return await this.#child.end();
    for (;;) {
      const ending = await this.#child.endsWithin(EVERY_MS);
      if (ending !== undefined) return ending;
      const kid = this.around.watch.current();
      if (kid === undefined || kid === this.#kid || this.#toldToEnd) continue;
      const last = await this.#react(this.onRotate, kid);
      if (last !== undefined) return last;
    }
  }

  /** @returns how the program ended, if it does not continue. */
  async #react(onRotate: OnRotate, kid: string): Promise<Ending | undefined> {
    if ("restartAfterMs" in onRotate) return await this.#restart(onRotate.restartAfterMs);
    this.#child.signal(onRotate.signal);
    this.#kid = kid;
    this.around.remark(`the secret was rotated (kid ${kid}): sent ${onRotate.signal}`);
  }

  async #restart(graceMs: number): Promise<Ending | undefined> {
    // Gets the value before stopping the program: an old value is better than no program.
    const given = await this.#given();
    if (given === undefined || given.kid === this.#kid) return;
    if (this.#child.ending !== undefined || this.#toldToEnd) return;
    this.#restarting = true;
    const ending = await this.#child.stop(graceMs);
    this.#restarting = false;
    if (this.#toldToEnd) return ending;
    this.#child = Child.start(given.program, given.variables);
    this.#kid = given.kid;
    await this.around.began(this.#child.id, given);
    this.around.remark(`the secret was rotated (kid ${given.kid}): restarted with the new one`);
  }

  async #given(): Promise<Handout | undefined> {
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
