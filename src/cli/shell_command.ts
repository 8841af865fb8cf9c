import { within } from "../core/async.ts";
import { HERE } from "../system/here.ts";
import type { Invocation } from "../system/system.ts";

/** How a command line of the operator's is run. */
export interface LineOptions {
  /** Variables of its environment, besides rekey's own. */
  readonly env?: Record<string, string>;
  /** How long it may take, in milliseconds. */
  readonly limitMs: number;
  /** Takes what it prints to stdout, piece by piece. */
  take(piece: Uint8Array): void;
}

// What it has left running may hold its output open.
const AFTER_END_MS = 1_000;

/**
 * Runs a command line of the operator's, for a bounded time: what takes longer is ended. It has no stdin, and its errors
 * go to stderr.
 *
 * @param start starts it, in the environment that it is to have.
 * @returns how it failed, in words; `undefined` when it ended with status 0.
 */
export async function runLine(
  { program, ...invocation }: Invocation,
  { env = {}, limitMs, take }: LineOptions,
  start = (command: Deno.Command) => command.spawn(),
): Promise<string | undefined> {
  const streams = { stdin: "null", stdout: "piped", stderr: "inherit" } as const;
  const child = start(new Deno.Command(program, { ...invocation, ...streams, env }));
  const output = child.stdout.getReader();
  const reading = read(output, take);
  const ending = await within(limitMs, endingOf(child));
  if (ending === undefined) await HERE.processes.endTree(child);
  await within(AFTER_END_MS, reading);
  await output.cancel();
  return failureOf(ending, limitMs);
}

async function read(
  output: ReadableStreamDefaultReader<Uint8Array>,
  take: LineOptions["take"],
): Promise<void> {
  for (let next; !(next = await output.read()).done;) take(next.value);
}

function failureOf(ending: Ending | undefined, limitMs: number): string | undefined {
  if (ending === undefined) return `did not end within ${inWords(limitMs)}`;
  return "status" in ending && ending.status === 0 ? undefined : endingInWords(ending);
}

function inWords(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  return seconds < 60 ? `${seconds} s` : `${seconds / 60} minutes`;
}

/** How a program ended: with an exit status, or by a signal's number. */
export type Ending = { readonly status: number } | { readonly signal: number };

/** Waits until a program has ended. */
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

/** The same in words. */
function endingInWords(ending: Ending): string {
  return "status" in ending
    ? `ended with status ${ending.status}`
    : `was ended by signal ${ending.signal}`;
}
