import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import { LiveSecrets } from "../../secret/view.ts";
import type { Environment } from "../../store/environment.ts";
import { Backoff } from "../../core/backoff.ts";
import { HERE } from "../../system/here.ts";
import type { Ending } from "../shell_command.ts";
import { Child, type Program } from "./child.ts";

/** Tells which version is current, whatever happens to the database. */
export class Watch {
  readonly #secrets: LiveSecrets;
  #trouble: string | undefined;

  constructor(environment: Environment, private readonly warn: (text: string) => void) {
    const valueless = () => Promise.reject(new Error("A watch needs no value"));
    this.#secrets = new LiveSecrets(environment, valueless);
  }

  /** Its kid; `undefined` while that cannot be told. What the operator should know is said once. */
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
    // Others write for an instant.
    if (code === "busy" || code === this.#trouble) return;
    this.#trouble = code;
    this.warn(
      code === "not_initialised"
        ? "the secret is gone: it was destroyed, or its folder moved; the program goes on with it"
        : `rotations are not seen for now: ${message}`,
    );
  }
}

/** What happens to the program when another version becomes the current one. */
type OnRotate =
  | { readonly signal: Deno.Signal }
  /** Asked to end, ended after so many milliseconds; then started with the new value. */
  | { readonly restartAfterMs: number };

/** Variables of the program's environment, and the kid of the version that they are of. */
export interface Given {
  /** As it is found now. */
  readonly program: Program;
  readonly kid: string;
  readonly variables: Record<string, string>;
  /** Whether it could be written down that the program gets the secret. */
  readonly written: boolean;
}

/** What the supervisor needs of the program around it. */
interface SupervisorContext {
  readonly watch: Watch;
  /** Gets the current secret. @throws {RekeyError} when it cannot be had. */
  give(): Promise<Given>;
  /** The program has begun. */
  began(pid: number, given: Given): Promise<void>;
  remark(text: string): void;
  warn(text: string): void;
}

// Each time costs a look at the file and at a counter of SQLite's.
const EVERY_MS = 250;

const ENDING: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGBREAK"];

/** Runs a program until it ends, tells it of rotations, and passes signals on to it. */
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
    given: Given,
  ) {
    const { program, kid, variables } = given;
    HERE.programs.onSignals((signal, isOfTerminal) => this.#pass(signal, isOfTerminal));
    this.#child = Child.start(program, variables);
    this.#noted = around.began(this.#child.id, given);
    this.#kid = kid;
  }

  /** How the program ended, by itself or told to by others. @throws {RekeyError} when it cannot be started again. */
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

  /** @returns how the program ended, if that was the end of it. */
  async #react(onRotate: OnRotate, kid: string): Promise<Ending | undefined> {
    if ("restartAfterMs" in onRotate) return await this.#restart(onRotate.restartAfterMs);
    this.#child.signal(onRotate.signal);
    this.#kid = kid;
    this.around.remark(`the secret is another one (kid ${kid}): ${onRotate.signal} was sent`);
  }

  async #restart(graceMs: number): Promise<Ending | undefined> {
    // First the value and the program: one that runs with an old value is better than none.
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
    this.around.remark(`the secret is another one (kid ${given.kid}): started again with it`);
  }

  async #given(): Promise<Given | undefined> {
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
    this.around.warn(`the program goes on with an old secret: ${why.message}`);
  }

  #pass(signal: Deno.Signal, isOfTerminal: boolean): void {
    // Told to end while it ends anyway: not to be started again.
    this.#toldToEnd ||= signal === "SIGTERM" || (this.#restarting && ENDING.includes(signal));
    if (!isOfTerminal) this.#child.signal(signal);
  }
}
