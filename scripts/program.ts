/** Where and as whom a program runs. */
export interface Surroundings {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** It gets `env` alone, and nothing of this process's environment. */
  readonly clearEnv?: boolean;
  readonly uid?: number;
  readonly gid?: number;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

type Stream = "piped" | "inherit" | "null";

/** How {@linkcode start} starts a program. A stream that is not named is closed (`null`). */
export interface StartOptions extends Surroundings {
  readonly stdin?: Stream;
  readonly stdout?: Stream;
  readonly stderr?: Stream;
}

/** How {@linkcode run} runs a program. */
export interface RunOptions extends Surroundings {
  /** What it reads; nothing unless it is said. */
  readonly stdin?: string | Uint8Array;
  /** Where its messages go: to the caller, or to this process's own standard error. */
  readonly stderr?: "piped" | "inherit";
}

/** How a program ended. */
export interface Ended<Text = string> {
  readonly code: number;
  readonly stdout: Text;
  /** Empty where it was inherited. */
  readonly stderr: Text;
}

/** Starts a program that goes on: all of the tests' and the scripts' programs begin here. */
export function start(
  program: string,
  args: readonly string[] = [],
  { stdin = "null", stdout = "null", stderr = "null", signal, ...where }: StartOptions = {},
): Deno.ChildProcess {
  const streams = { stdin, stdout, stderr };
  const options = { ...where, ...streams, ...signal && { signal }, args: [...args] };
  return new Deno.Command(program, options).spawn();
}

/** Runs a program to its end, and answers what it wrote as bytes. */
export async function output(
  program: string,
  args: readonly string[] = [],
  { stdin, stderr = "piped", ...where }: RunOptions = {},
): Promise<Ended<Uint8Array>> {
  const input = stdin === undefined ? "null" : "piped";
  const child = start(program, args, { ...where, stdin: input, stdout: "piped", stderr });
  const ending = child.output();
  // A program that copies its stdin needs both ends at once.
  if (stdin !== undefined) await feed(child.stdin, stdin);
  const ended = await ending;
  const said = stderr === "piped" ? ended.stderr : new Uint8Array();
  return { code: ended.code, stdout: ended.stdout, stderr: said };
}

/** Runs a program to its end, and answers what it wrote as text. */
export async function run(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Ended> {
  return inText(await output(program, args, options));
}

/** What a program wrote, as text. */
export function inText({ code, stdout, stderr }: Ended<Uint8Array>): Ended {
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Runs a program that is to succeed, and answers its standard output.
 *
 * @throws {Error} with the end of its standard error when it fails.
 */
export async function must(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} (${code}): ${stderr.slice(-4_000)}`);
}

/** Whether a program is there and succeeds. Waits for it without giving way to anything else. */
export function succeeds(program: string, args: readonly string[] = []): boolean {
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  try {
    return new Deno.Command(program, { ...quiet, args: [...args] }).outputSync().success;
  } catch {
    return false;
  }
}

/** Writes all that a program reads, and closes its end. */
export async function feed(
  stdin: WritableStream<Uint8Array>,
  data: string | Uint8Array,
): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    const writer = stdin.getWriter();
    await writer.write(bytes);
    await writer.close();
  } catch (error) {
    // A program that has seen enough may close its end before everything is written.
    const closed = error instanceof Deno.errors.BrokenPipe || error instanceof TypeError;
    if (!closed) throw error;
  }
}
