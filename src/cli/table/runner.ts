import type { Command } from "commander";
import type { Context, GlobalOptions } from "../context.ts";

/** A command's implementation, loaded when it is called: no command pays for another. */
export type Run<O> = (options: O, context: Context) => Promise<void>;

/** One whose only argument is a name. */
export type NamedRun = (name: string, context: Context) => Promise<void>;

/** Makes the context of a call from its global flags, runs the command, and clears up. */
export type Runner = (
  globals: GlobalOptions,
  call: (context: Context) => Promise<void>,
) => Promise<void>;

/** The action of a command that takes flags only. */
export function run<O>(runner: Runner, load: () => Promise<Run<O>>) {
  return (options: O, command: Command) =>
    runner(command.optsWithGlobals(), async (context) => await (await load())(options, context));
}

/** Adds one command, with its flags, to the program. */
export type Add = (program: Command, runner: Runner) => void;

/** Commands by their names, in the order of the help. */
export type Commands = Readonly<Record<string, Add>>;
