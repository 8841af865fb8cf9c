import { abortion, within } from "../core/async.ts";
import { failureOf, runCommand } from "../system/command_line.ts";
import type { Invocation } from "../system/processes.ts";
import { SYSTEM } from "../system/system.ts";
import { withCallersUmask } from "../system/umask.ts";
import type { Confidential } from "./confidential.ts";
import { templateKey } from "./key_data.ts";
import { type DeliveredKeys, type Role, verifyingKeys } from "./key_set.ts";
import type { Reload, Step } from "./preset.ts";
import { fill } from "./templates.ts";

/** How long a reload may take unless its preset says so, in milliseconds. */
const RELOAD_MS = 20_000;

/** How a program is told to read its keys again: as a preset has it, or a shell command of the operator. */
export type ReloadWay = Reload | { readonly shell: string };

/** What reloads and probes may use. */
export interface Surroundings {
  /** Name of the delivery. */
  readonly name: string;
  readonly path: string;
  readonly role: Role;
  /** Texts for templates: parameters, name, path and folder. */
  readonly data: Readonly<Record<string, string>>;
  /** The keys that the program is to hold. */
  readonly keys: DeliveredKeys;
  readonly confidential: Confidential;
  /** By which a rekey that a command calls finds the same installation. */
  readonly variables: Readonly<Record<string, string>>;
  /** Ends what is under way; what it returns then counts for nothing. */
  readonly signal: AbortSignal;
}

/**
 * Tells a program to read its keys again. A command gets paths and kids, never a value; a socket gets the keys.
 *
 * @returns how it failed, in words without values; `undefined` if it says that it succeeded, which proves nothing.
 */
export async function reload(way: ReloadWay, around: Surroundings): Promise<string | undefined> {
  if ("dialogue" in way) return await converse(way, around);
  const invocation = "shell" in way
    ? SYSTEM.processes.shell(way.shell)
    : await invocationOf(way.command, around.data);
  const limitMs = ("timeout_s" in way && way.timeout_s) ? way.timeout_s * 1_000 : RELOAD_MS;
  let output = "";
  const take = (piece: Uint8Array) => output = lastOf(output + new TextDecoder().decode(piece));
  const options = {
    ...{ env: factsFor(around), limitMs, signal: around.signal },
    ...{ ownGroup: true, takesStderr: true, take },
  };
  const failure = await startable(
    invocation,
    async () => failureOf(await runCommand(invocation, options, spawned), limitMs),
  );
  if (failure === undefined) return undefined;
  return withLine(`its reload ${failure}`, around.confidential.tellingLine(output));
}

/** A program and its arguments, from templates. */
export async function invocationOf(
  argv: readonly string[],
  data: Readonly<Record<string, string>>,
): Promise<Invocation> {
  const [program, ...args] = await Promise.all(argv.map((word) => fill(word, data)));
  return { program: program!, args };
}

/** Runs work that starts a program. @returns what it returns, or that the program cannot be started. */
export async function startable<T>({ program }: Invocation, work: () => Promise<T>) {
  try {
    return await work();
  } catch (error) {
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    if (![NotFound, PermissionDenied, NotADirectory].some((kind) => error instanceof kind)) {
      throw error;
    }
    return `cannot be started: ${program} is not there, or not executable`;
  }
}

/** Starts a command of the operator: it may start a daemon, whose files are not rekey's. */
export function spawned(command: Deno.Command): Deno.ChildProcess {
  return withCallersUmask(() => command.spawn());
}

function factsFor(around: Surroundings): Record<string, string> {
  const { name, path, keys: { current }, variables } = around;
  return { ...variables, REKEY_DELIVERY: name, REKEY_PATH: path, REKEY_KID: current.kid };
}

/** A failure with what the program said last. */
export function withLine(failure: string, line: string | undefined): string {
  return line === undefined ? failure : `${failure}: ${line}`;
}

const MOST_OUTPUT = 65_536;

/** The end of a long output. */
export function lastOf(output: string): string {
  return output.slice(-MOST_OUTPUT);
}

async function converse(
  { socket, dialogue, timeout_s }: Extract<Reload, { dialogue: unknown }>,
  around: Surroundings,
): Promise<string | undefined> {
  const limitMs = timeout_s === undefined ? RELOAD_MS : timeout_s * 1_000;
  const path = await fill(socket, around.data);
  const conversation = new Conversation(path, around);
  try {
    const talking = conversation.run(dialogue).then((said) => ({ said }));
    const failure = await within(limitMs, Promise.race([talking, abortion(around.signal)]));
    return failure === undefined
      ? `its socket ${path} did not answer within ${limitMs / 1_000} s`
      : failure.said;
  } finally {
    conversation.close();
  }
}

class Conversation {
  readonly #known: Record<string, string>;
  #connection: Deno.UnixConn | undefined;

  constructor(private readonly path: string, private readonly around: Surroundings) {
    this.#known = { ...around.data };
  }

  async run(steps: readonly Step[]): Promise<string | undefined> {
    for (const [at, step] of steps.entries()) {
      for (const data of this.#each(step)) {
        const failure = await this.#take(step, await fill(step.send, withNames(data, this.#known)));
        if (failure !== undefined) return `step ${at + 1} of its reload ${failure}`;
      }
    }
    return undefined;
  }

  close(): void {
    try {
      this.#connection?.close();
    } catch {
      // It is closed already.
    }
  }

  #each({ each }: Step): readonly object[] {
    if (each === undefined) return [{}];
    const { keys, role } = this.around;
    const all = each === "verifying" ? verifyingKeys(keys) : keys.previous;
    return all.map((key) => templateKey(key, role));
  }

  async #take({ expect, as }: Step, line: string): Promise<string | undefined> {
    let answer: string;
    try {
      answer = await this.#ask(`${line}\n`);
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      return `cannot reach ${this.path} (${String(error.code)})`;
    }
    const match = wholeMatch(expect, answer);
    if (match === null) {
      return withLine("got another answer", this.around.confidential.tellingLine(answer));
    }
    if (as !== undefined) this.#known[as] = match[1] ?? "";
    return undefined;
  }

  async #ask(line: string): Promise<string> {
    this.#connection = await Deno.connect({ transport: "unix", path: this.path });
    try {
      for (let rest = new TextEncoder().encode(line); rest.length > 0;) {
        rest = rest.subarray(await this.#connection.write(rest));
      }
      return await this.#answer(this.#connection);
    } finally {
      this.close();
    }
  }

  async #answer(connection: Deno.UnixConn): Promise<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16_384);
    let answer = "";
    for (let length; (length = await connection.read(buffer)) !== null;) {
      answer = lastOf(answer + decoder.decode(buffer.subarray(0, length), { stream: true }));
    }
    return answer;
  }
}

// Not spread: what a key lacks is there, and refuses to be read.
function withNames(data: object, known: Record<string, string>): Record<string, unknown> {
  const names = Object.getOwnPropertyDescriptors(known);
  return Object.defineProperties({}, { ...names, ...Object.getOwnPropertyDescriptors(data) });
}

// The end of a line, and what else is white around an answer, says nothing.
function wholeMatch(pattern: string | undefined, answer: string): readonly string[] | null {
  return pattern === undefined ? [] : new RegExp(`^(?:${pattern})$`).exec(answer.trim());
}
