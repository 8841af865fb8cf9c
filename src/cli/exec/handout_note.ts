import { asRefusal, isRekeyError } from "../../core/errors.ts";
import { forgetHolder, noteHolder, type Started } from "../../secret/holders.ts";
import { noteKeys } from "../../secret/keys_files.ts";
import type { SecretManager } from "../../secret/manager.ts";
import type { ProcessId } from "../../system/processes.ts";
import type { Output } from "../output.ts";
import { shown } from "./child.ts";
import { type Handout, NOTE_WAIT_MS } from "./handout.ts";

const NOT_NAMED = "could not record that this program has the secret: a rotation will not name it";

/** Records which process has the secret, so that a rotation can name processes with an old one. */
export async function noteStart(
  secrets: SecretManager,
  process: Pick<Started, "pid" | "keeper">,
  given: Handout,
  output: Output,
): Promise<void> {
  const id = await recorded(secrets, process, given, { waitMs: waitFor(given) });
  if (id === undefined) output.warning(NOT_NAMED);
}

/** The record of a program that this process waits for: before it starts, this process itself is recorded for it. */
export class HandoutNote {
  #noted: { readonly id: ProcessId; readonly kid: string } | undefined;
  #last: { readonly pid: number; readonly given: Handout } | undefined;
  #isMissed = false;

  /** @param keeper how this process handles the program after a rotation. */
  constructor(
    private readonly secrets: SecretManager,
    private readonly output: Output,
    private readonly keeper: () => Started["keeper"],
  ) {}

  /** Records this process for a program that is going to be started. */
  async begin(given: Handout): Promise<void> {
    await this.#record(Deno.pid, given);
  }

  /** Records the program's process in place of what was recorded. Says so if that is not possible. */
  async write(pid: number, given: Handout): Promise<void> {
    const id = await this.#record(pid, given);
    // An earlier record of the same value still names the program.
    const isNamed = id !== undefined || this.#noted?.kid === given.kid;
    if (!isNamed && given.written) this.output.warning(NOT_NAMED);
  }

  /** Records what could not be recorded before, if that is possible now. */
  async makeUp(): Promise<void> {
    if (this.#isMissed) await this.#recordAgain();
  }

  /**
   * Records what the file of keys holds; and the program, in a database that has taken the place of the one that knew of it.
   *
   * @param kids `undefined` without such a file.
   * @returns whether that was possible.
   */
  async setKeys(kids: readonly string[] | undefined): Promise<boolean> {
    if (this.#noted === undefined) return true;
    const { id } = this.#noted;
    this.secrets.refresh();
    const isDone = await this.secrets.open()
      .then(({ installation }) => noteKeys(installation, id, kids)).catch(asRefusal);
    if (isDone === "unknown") await this.#recordAgain();
    return isDone === true || isDone === "unknown";
  }

  async #recordAgain(): Promise<void> {
    if (this.#last !== undefined) await this.#record(this.#last.pid, this.#last.given);
  }

  async #record(pid: number, given: Handout): Promise<ProcessId | "ended" | undefined> {
    this.secrets.refresh();
    const keeper = this.keeper();
    const waitMs = this.#isMissed && this.#last?.given === given ? 0 : waitFor(given);
    const id = await recorded(this.secrets, { pid, ...keeper && { keeper } }, given, {
      waitMs,
      replaces: this.#noted?.id,
    });
    this.#last = { pid, given };
    this.#isMissed = id === undefined;
    if (typeof id === "object") this.#noted = { id, kid: given.kid };
    else if (id === "ended" || this.#noted?.kid !== given.kid) await this.delete();
    return id;
  }

  /** Deletes the record, if that is possible now: it is deleted later otherwise. */
  async delete(): Promise<void> {
    const id = this.#noted?.id;
    this.#noted = undefined;
    if (id === undefined) return;
    await this.secrets.open().then(({ installation }) => forgetHolder(installation, id))
      .catch(asRefusal);
  }
}

// If the audit row could not be written, the same lock blocks this too: no second wait.
const waitFor = ({ written }: Handout) => written ? NOTE_WAIT_MS : 0;

/** @returns `ended` when the process has ended already, `undefined` when it could not be recorded. */
async function recorded(
  secrets: SecretManager,
  process: Pick<Started, "pid" | "keeper">,
  { program, kid }: Handout,
  options: Parameters<typeof noteHolder>[2],
): Promise<ProcessId | "ended" | undefined> {
  const started = { ...process, kid, program: shown(program.name) };
  const noted = await secrets.open().then(({ installation }) =>
    noteHolder(installation, started, options)
  ).catch(asRefusal);
  return isRekeyError(noted) ? undefined : noted;
}
