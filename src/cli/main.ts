import { CommanderError } from "commander";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { type Context, type GlobalOptions, makeContext } from "./context.ts";
import { Output, Reported, systemStreams } from "./output.ts";
import { makeProgram } from "./program.ts";
import { askTerminal } from "./terminal.ts";

/**
 * Runs one command line.
 *
 * @returns its exit status (design §7).
 * @throws whatever is a bug.
 */
export async function main(args: readonly string[], version: string): Promise<number> {
  let output = outputFor({ json: args.includes("--json"), color: !args.includes("--no-color") });
  const program = makeProgram(version, async (globals, call) => {
    output = outputFor(globals);
    await withContext(globals, output, call);
  });
  for (const command of [program, ...descendants(program)]) {
    // Its own texts for errors come here as exceptions, and are rendered like every other error.
    command.exitOverride().configureOutput({
      writeOut: systemStreams.stdout,
      writeErr: () => {},
      getOutHasColors: () => false,
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof Reported) return error.refusal.exitCode;
    const refusal = error instanceof CommanderError ? usageError(error) : error;
    if (!isRekeyError(refusal)) throw error;
    output.error(refusal);
    return refusal.exitCode;
  }
}

type Program = ReturnType<typeof makeProgram>;

function descendants(program: Program): Program[] {
  return program.commands.flatMap((command) => [command, ...descendants(command)]);
}

async function withContext(
  globals: GlobalOptions,
  output: Output,
  call: (context: Context) => Promise<void>,
): Promise<void> {
  const context = makeContext(globals, output, askTerminal);
  let failed = true;
  try {
    await call(context);
    failed = false;
  } finally {
    const noted = await context.secrets.flushNotes();
    context.secrets.close();
    // After a failure its own message says more.
    if (!noted && !failed) {
      output.warning("the retrieval of the secret could not be written to the audit log");
    }
  }
}

function outputFor(options: { json?: boolean; quiet?: boolean; color: boolean }): Output {
  const color = options.color && !Deno.noColor && Deno.stderr.isTerminal();
  return new Output(
    { json: options.json ?? false, quiet: options.quiet ?? false, color },
    systemStreams,
  );
}

function usageError({ code, message }: CommanderError): RekeyError {
  if (code === "commander.help") {
    return new RekeyError("usage", "No command was given", { hint: SEE_HELP });
  }
  // Its own text quotes the whole line.
  if (code === "commander.excessArguments") {
    return new RekeyError("usage", "Too many arguments were given", { hint: SEE_HELP });
  }
  const sentence = shortened(message).replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  return new RekeyError("usage", sentence.charAt(0).toUpperCase() + sentence.slice(1), {
    hint: SEE_HELP,
  });
}

const SEE_HELP = "See `rekey --help`, or `rekey COMMAND --help`";

// A mistyped line may hold a token or a password: neither a value after `=` nor a long word is quoted.
function shortened(message: string): string {
  return message.replace(
    /'([^'=]*)(=[^']*)?'/g,
    (_, word: string) => word.length > 40 ? "'…'" : `'${word}'`,
  );
}
