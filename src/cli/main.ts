import { type Command, CommanderError } from "commander";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { type Context, makeContext } from "./context.ts";
import { finishDeliveries } from "./deliveries_report.ts";
import { NOT_LOGGED, Output, ProgramEnded, Reported, systemStreams } from "./output.ts";
import { makeProgram, ownWords } from "./program.ts";
import { refusalFor } from "./refusal.ts";
import { REQUEST_THREAD, requestThread } from "./request_thread.ts";
import { sendAudit } from "./audit_stream.ts";
import { askTerminal } from "./terminal.ts";
import { SYSTEM } from "../system/system.ts";
import { askWithoutProxy } from "./environment.ts";
import { setPrivateUmask } from "../system/umask.ts";

/** Runs the program on its command line and ends it; or, where a request thread of `serve` begins, that. */
export async function start(): Promise<void> {
  setPrivateUmask();
  askWithoutProxy();
  if (self.name === REQUEST_THREAD) return requestThread(self);
  SYSTEM.processes.setUpSignals();
  // A MiB, most of it V8's code as it was read. It counts for the peak of a command.
  SYSTEM.giveBackMemory();
  // `exit` and not a natural end: a keyring call that never returns would hold the process.
  Deno.exit(await main(Deno.args, VERSION));
}

/**
 * Runs one command line.
 *
 * @returns its exit status.
 * @throws errors that are bugs.
 */
async function main(args: readonly string[], version: string): Promise<number> {
  const own = ownWords(args);
  let output = outputFor({ json: own.includes("--json"), color: !own.includes("--no-color") });
  const said: Said = { line: own, help: "", failed: undefined };
  try {
    const program = await makeProgram(version, async (globals, call) => {
      output = outputFor(globals);
      const context = makeContext(globals, output, askTerminal, version);
      // `deliver` does itself what it is asked for, and `check` changes nothing.
      await withContext(context, call, program.args[0] !== "deliver");
    }, args);
    takeOver(program, said);
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return await statusOf(error, said, output);
  }
}

/** A command line, what Commander has said about it, and of which command. */
interface Said {
  readonly line: readonly string[];
  help: string;
  failed: Command | undefined;
}

/** Commander's own texts for errors become exceptions, and are rendered like every other error. */
function takeOver(program: Command, said: Said): void {
  said.failed = program;
  for (const command of [program, ...descendants(program)]) {
    command.exitOverride((error) => {
      said.failed = command;
      throw error;
    }).configureOutput({
      writeOut: systemStreams.stdout,
      writeErr: (text) => said.help += text,
      getOutHasColors: () => false,
    });
  }
}

/** The exit status after an error, which is printed unless that was done. */
async function statusOf(error: unknown, said: Said, output: Output): Promise<number> {
  if (error instanceof Reported) return error.refusal.exitCode;
  if (error instanceof ProgramEnded) return error.status;
  if (!(error instanceof CommanderError)) return printed(refusalFor(error), output);
  if (error.exitCode === 0) return 0;
  // As git does for a command that is missing; its status tells a script that nothing was done.
  if (error.code === "commander.help" && !output.options.json) {
    systemStreams.stdout(said.help);
    return new RekeyError("usage", error.message).exitCode;
  }
  return printed(await lineRefusal(error, said), output);
}

// The code for it may be out of reach: with too few files to open, or when the executable was replaced.
async function lineRefusal(error: CommanderError, { failed, line }: Said): Promise<RekeyError> {
  try {
    const { commandLineError } = await import("./line_errors.ts");
    const all = () => makeProgram(VERSION, () => Promise.resolve());
    return await commandLineError(error, failed!, { line, all });
  } catch (cause) {
    return refusalFor(cause);
  }
}

function printed(refusal: RekeyError, output: Output): number {
  output.error(refusal);
  return refusal.exitCode;
}

function descendants(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...descendants(command)]);
}

async function withContext(
  context: Context,
  call: (context: Context) => Promise<void>,
  finishes: boolean,
): Promise<void> {
  let failed = true;
  try {
    await call(context);
    if (finishes) await finishDeliveries(context.secrets, context.output);
    failed = false;
  } catch (error) {
    if (!isRekeyError(error, "not_initialised")) throw error;
    const { withWhereLooked } = await import("./warnings.ts");
    throw withWhereLooked(error, context.secrets.environment);
  } finally {
    const { logWarning } = context.secrets;
    if (logWarning !== undefined) context.output.warning(logWarning);
    const noted = await context.secrets.flushNotes();
    await sendAudit(context);
    context.secrets.close();
    // After a failure its own message says more.
    if (!noted && !failed) context.output.warning(NOT_LOGGED);
  }
}

function outputFor(options: { json?: boolean; quiet?: boolean; color: boolean }): Output {
  const color = options.color && !Deno.noColor && Deno.stderr.isTerminal();
  return new Output(
    { json: options.json ?? false, quiet: options.quiet ?? false, color },
    systemStreams,
  );
}
