import { within } from "../core/async.ts";
import { SYSTEM } from "../system/system.ts";
import type { Invocation } from "../system/processes.ts";

/** How to run a shell command of the operator. */
export interface LineOptions {
  /** Variables added to rekey's environment. */
  readonly env?: Record<string, string>;
  /** Time limit, in milliseconds. */
  readonly limitMs: number;
  /** Receives its stdout piece by piece. */
  take(piece: Uint8Array): void;
}

// Background processes of the command may keep its stdout open.
const AFTER_END_MS = 1_000;

/**
 * Runs a shell command of the operator, and kills it after the time limit. It has no stdin; its stderr is rekey's.
 *
 * @param start starts it in the right environment.
 * @returns how it failed, in words; `undefined` after exit status 0.
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
  if (ending === undefined) await SYSTEM.processes.killTree(child);
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
