import { type Command, CommanderError } from "commander";
import { commandLineError } from "../../../src/cli/line_errors.ts";
import { Output, Reported } from "../../../src/cli/output.ts";
import { makeProgram, ownWords } from "../../../src/cli/program.ts";
import { refusalFor } from "../../../src/cli/refusal.ts";
import type { RekeyError } from "../../../src/core/errors.ts";
import type { Box, Ended } from "../process/box.ts";
import { THOROUGH } from "../process/sample.ts";
import { Opened } from "../store/opened.ts";

const all = () => makeProgram("0", () => Promise.resolve());

type Run = (box: Box, args: string[]) => Promise<Ended>;

/**
 * Runs the command lines of a table's rows: every n-th by the binary, as a user does, and the others by the same command table
 * and functions in this process. A start of the binary takes sixty milliseconds of a processor. `deno task thorough` and
 * `deno task leaks` have the binary run them all.
 */
export function everyNthByBinary(n: number): Run {
  let count = 0;
  return (box, args) => {
    const byBinary = THOROUGH || box.watch !== undefined || count++ % n === 0;
    return byBinary ? box.run(args) : inThisProcess(box, args);
  };
}

/**
 * Runs a command line in this process, as `src/cli/main.ts` does. The secret is in the database, and nothing comes from standard
 * input or variables.
 */
export async function inThisProcess(box: Box, args: string[]): Promise<Ended> {
  const said = { stdout: "", stderr: "" };
  const output = new Output(
    { json: args.includes("--json"), quiet: args.includes("--quiet"), color: false },
    { stdout: (text) => said.stdout += text, stderr: (text) => said.stderr += text },
  );
  let failed: Command | undefined;
  try {
    const program = await makeProgram("0", async (globals, call) => {
      using opened = new Opened(box);
      const { secrets, auth } = opened;
      const confirm = () => false;
      await call({ secrets, auth, output, confirm, globals, version: "0", store: globals.store });
      await secrets.flushNotes();
    }, args);
    for (const command of [program, ...below(program)]) {
      command.exitOverride((error) => {
        failed = command;
        throw error;
      }).configureOutput({ writeOut: (text) => said.stdout += text, writeErr: () => {} });
    }
    failed = program;
    await program.parseAsync(args, { from: "user" });
    return { code: 0, ...said };
  } catch (error) {
    if (error instanceof Reported) return { code: error.refusal.exitCode, ...said };
    const refusal: RekeyError = error instanceof CommanderError
      ? await commandLineError(error, failed!, { line: ownWords(args), all })
      : refusalFor(error);
    output.error(refusal);
    return { code: refusal.exitCode, ...said };
  }
}

function below(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...below(command)]);
}
