import { type Command, CommanderError } from "commander";
import config from "../../deno.json" with { type: "json" };
import { REPLACED } from "../boot/appended.ts";
import { isRekeyError, RekeyError, usageError } from "../core/errors.ts";
import { type Context, makeContext } from "./context.ts";
import { finishDeliveries } from "./deliveries_report.ts";
import { NOT_LOGGED, Output, ProgramEnded, Reported, systemStreams } from "./output.ts";
import { makeProgram } from "./program.ts";
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
  // `exit` and not a natural end: a keyring call that never returns would hold the process.
  Deno.exit(await main(Deno.args, config.version));
}

/**
 * Runs one command line.
 *
 * @returns its exit status.
 * @throws errors that are bugs.
 */
async function main(args: readonly string[], version: string): Promise<number> {
  // Words after -- belong to another program.
  const own = args.slice(0, args.includes("--") ? args.indexOf("--") : undefined);
  let output = outputFor({ json: own.includes("--json"), color: !own.includes("--no-color") });
  const said: Said = { help: "", failed: undefined };
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
    return statusOf(error, said, output);
  }
}

/** What Commander has said about a command line, and of which command. */
interface Said {
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
function statusOf(error: unknown, { help, failed }: Said, output: Output): number {
  if (error instanceof Reported) return error.refusal.exitCode;
  if (error instanceof ProgramEnded) return error.status;
  if (!(error instanceof CommanderError)) return printed(refusalFor(error), output);
  if (error.exitCode === 0) return 0;
  // As git does for a command that is missing; its status tells a script that nothing was done.
  if (error.code === "commander.help" && !output.options.json) {
    systemStreams.stdout(help);
    return new RekeyError("usage", error.message).exitCode;
  }
  // Only a program throws these.
  return printed(commandLineError(error, failed!), output);
}

function printed(refusal: RekeyError, output: Output): number {
  output.error(refusal);
  return refusal.exitCode;
}

// Any other error is a bug in rekey; REKEY_DEBUG shows where it happened.
function refusalFor(error: unknown): RekeyError {
  if (isRekeyError(error)) return error;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (name === REPLACED) {
    return new RekeyError("failed", "Cannot load the command: the executable was replaced", {
      hint: "Run the command again",
      cause: error,
    });
  }
  // A library's message may quote secrets, so it is shown only on request.
  const details = Deno.env.get("REKEY_DEBUG") ? `: ${message}\n${stack}` : "";
  return new RekeyError("internal", `Internal error, a bug in rekey: ${name}${details}`, {
    hint: "Please report it; REKEY_DEBUG=1 shows where it happened",
    cause: error,
  });
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

/**
 * A usage error in rekey's words. Commander's messages quote the command line, which may hold a token or a password by
 * mistake: only names of flags and commands are repeated.
 *
 * @param command the one whose help says more.
 */
function commandLineError({ code, message }: CommanderError, command: Command): RekeyError {
  const [suggestion] = /\(Did you mean [^)]*\?\)/.exec(message) ?? [];
  const text = [faultOf(code, message), suggestion].filter(Boolean).join(" ");
  return usageError(text, `See \`${lineOf(command)} --help\``);
}

// Names as defined, never as typed.
function faultOf(code: string, message: string): string {
  const parts = (pattern: RegExp) => pattern.exec(message)?.slice(1) ?? [];
  const [defined] = parts(/^error: (?:required )?(?:option|missing required argument) '([^']*)'/);
  switch (code) {
    case "commander.help":
      return "No command was given";
    case "commander.unknownCommand": {
      const name = parts(/^error: unknown command '([a-z][a-z-]{0,19})'/);
      return ["Unknown command", ...name].join(" ");
    }
    case "commander.unknownOption": {
      const name = parts(/^error: unknown option '(--?[a-z][a-z-]{0,19})'/);
      return ["Unknown option", ...name].join(" ");
    }
    case "commander.excessArguments": {
      const [wanted, given] = parts(/Expected (\d+) arguments? but got (\d+)/);
      return `Too many arguments were given: ${given}, where ${wanted} can be taken`;
    }
    case "commander.conflictingOption": {
      const [one, other] = parts(/^error: option '([^']*)' cannot be used with option '([^']*)'$/);
      return `Cannot use ${one} together with ${other}`;
    }
    case "commander.missingArgument":
    case "commander.missingMandatoryOptionValue":
      return `${code === "commander.missingArgument" ? `<${defined}>` : defined} is needed`;
    case "commander.invalidArgument": {
      const [argument, choices] = parts(/for argument '([a-z]+)'\. ([^']*?)\.*$/);
      if (argument !== undefined) return `Cannot use that as <${argument}>: ${choices}`;
      return `Cannot use the value of ${defined}: ${parts(/is invalid\. (.*?)\.?$/s)[0] ?? ""}`;
    }
    case "commander.optionMissingArgument":
      return `${defined} needs a value`;
    default:
      return "The command line cannot be understood";
  }
}

function lineOf(command: Command): string {
  return command.parent === null ? command.name() : `${lineOf(command.parent)} ${command.name()}`;
}
