import { abortion, within } from "../core/async.ts";
import type { Invocation } from "./processes.ts";
import { SYSTEM } from "./system.ts";

/** How to run a command of the operator. */
export interface CommandOptions {
  /** Variables added to rekey's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Time limit, in milliseconds. */
  readonly limitMs: number;
  /** Ends it like the time limit. */
  readonly signal?: AbortSignal | undefined;
  /** What it reads; nothing unless it is given. */
  readonly stdin?: Uint8Array<ArrayBuffer> | undefined;
  /** Whether `take` receives its stderr too, which is otherwise rekey's. */
  readonly takesStderr?: boolean;
  /** Whether it gets a process group of its own, which the time limit ends as a whole. A terminal does not signal it. */
  readonly ownGroup?: boolean;
  /** Receives its stdout piece by piece. */
  take(piece: Uint8Array): void;
}

// Background processes of the command may keep its stdout open.
const AFTER_END_MS = 1_000;

/**
 * Runs a command of the operator, and kills it after the time limit.
 *
 * @param start starts it in the right environment.
 * @returns how it failed, in words; `undefined` after exit status 0.
 */
export async function runLine(
  invocation: Invocation,
  options: CommandOptions,
  start?: (command: Deno.Command) => Deno.ChildProcess,
): Promise<string | undefined> {
  return failureOf(await runCommand(invocation, options, start), options.limitMs);
}

/** Like {@linkcode runLine}. @returns how it ended; `undefined` if the time limit or the signal ended it. */
export async function runCommand(
  { program, ...invocation }: Invocation,
  { env = {}, limitMs, signal, stdin, takesStderr = false, ownGroup = false, take }: CommandOptions,
  start = (command: Deno.Command) => command.spawn(),
): Promise<Ending | undefined> {
  const streams = {
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: takesStderr ? "piped" : "inherit",
  } as const;
  const detached = ownGroup && SYSTEM.processes.hasGroups;
  leaveDeletedFolder();
  const child = start(new Deno.Command(program, { ...invocation, ...streams, env, detached }));
  const outputs = [child.stdout, ...takesStderr ? [child.stderr] : []].map((one) =>
    one.getReader()
  );
  const reading = Promise.all(outputs.map((output) => read(output, take)));
  if (stdin !== undefined) feed(child.stdin, stdin);
  const ended = endingOf(child);
  const isOver = signal === undefined ? [] : [abortion(signal)];
  const ending = await within(limitMs, Promise.race([ended, ...isOver]));
  if (ending === undefined) await SYSTEM.processes.killTree(child, detached);
  await within(AFTER_END_MS, reading);
  await Promise.all(outputs.map((output) => output.cancel()));
  return ending;
}

/** Leaves a working folder that was deleted meanwhile, in which the runtime starts no program: `/` is always there. */
export function leaveDeletedFolder(): void {
  try {
    Deno.cwd();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.chdir("/");
  }
}

// A command that ends without reading all of it is no failure.
function feed(input: WritableStream<Uint8Array<ArrayBuffer>>, data: Uint8Array<ArrayBuffer>): void {
  const writer = input.getWriter();
  writer.write(data).then(() => writer.close()).catch(() => {});
}

async function read(
  output: ReadableStreamDefaultReader<Uint8Array>,
  take: CommandOptions["take"],
): Promise<void> {
  for (let next; !(next = await output.read()).done;) take(next.value);
}

/** How a command failed, in words; `undefined` after exit status 0. */
export function failureOf(ending: Ending | undefined, limitMs: number): string | undefined {
  if (ending === undefined) return `did not end within ${inWords(limitMs)}`;
  return "status" in ending && ending.status === 0 ? undefined : endingInWords(ending);
}

function inWords(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  return seconds < 60 ? `${seconds} s` : `${seconds / 60} minutes`;
}

/** How a program ended: with an exit status, or by a signal's number. */
export type Ending = { readonly status: number } | { readonly signal: number };

/** Waits for a program to end. */
export async function endingOf(process: Deno.ChildProcess): Promise<Ending> {
  try {
    const { code, signal } = await process.status;
    return signal === null ? { status: code } : { signal: code - 128 };
  } catch (error) {
    // The runtime has no names for real-time signals.
    const [, number] = /^Invalid signal: (\d+)$/.exec((error as Error).message) ?? [];
    if (number === undefined) throw error;
    return { signal: Number(number) };
  }
}

/** An ending in words. */
function endingInWords(ending: Ending): string {
  return "status" in ending
    ? `ended with status ${ending.status}`
    : `was ended by signal ${ending.signal}`;
}
