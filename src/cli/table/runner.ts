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
