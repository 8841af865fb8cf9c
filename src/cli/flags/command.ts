import { type Argument, Command, Option } from "commander";
import type { Context, GlobalOptions } from "../context.ts";
import { usageError } from "../../core/errors.ts";
import { SYSTEM } from "../../system/system.ts";
import { pathGiven } from "../../system/paths.ts";

/** A command's implementation, loaded when it is called: no command pays for another. */
type Run<O> = (options: O, context: Context) => Promise<void>;

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
type Add = (program: Command, runner: Runner) => void;

/** Commands by their names, in the order of the help. */
export type Commands = Readonly<Record<string, Add>>;

/** An option that may be given several times: all of its values count, in their order. */
export class RepeatableOption<T = string> extends Option {
  /**
   * @param flags as commander writes them, with the value in `<>`.
   * @param description what one value is for; that there may be several is added to it.
   * @param parse makes a value of a text, and throws `InvalidArgumentError` when it cannot; it is told those before.
   */
  constructor(
    flags: string,
    description: string,
    parse: (text: string, before: readonly T[]) => T,
  ) {
    super(flags, `${description}; may be repeated`);
    this.argParser((text: string, before: readonly T[] | undefined) => {
      // What stands there at first is the default.
      const known = before === undefined || before === this.defaultValue ? [] : before;
      return [...known, parse(text, known)];
    });
  }
}

/** An option whose value is only kept, so that an empty one says no more than none. */
export class RemarkOption extends Option {}

/** Whether a word with its value follows an option. */
export function takesValue(option: Option | undefined): option is Option {
  return option !== undefined && (option.required || option.optional);
}

/**
 * A command whose options lose no value: one that may not be repeated is refused when it is given twice, before or after
 * a subcommand's name. So is an empty value, which is a shell's variable that was not set. A flag without a value says
 * the same however often it is given. A path that a shell has not expanded is refused too, of an option or an argument
 * that is called `path` or `file`.
 */
export class TableCommand extends Command {
  constructor(name?: string) {
    super(name);
    // Help for a command that there is not would be that of another one.
    this.on("beforeHelp", () => {
      const [word = "-"] = this.args.filter((arg) => !/^(-h|--help)$/.test(arg));
      const isKnown = this.commands.some((one) => one.name() === word);
      if (this.commands.length > 0 && !word.startsWith("-") && !isKnown) {
        this.args = [word];
        (this as unknown as { unknownCommand(): never }).unknownCommand();
      }
    });
  }

  override createCommand(name?: string): TableCommand {
    return new TableCommand(name);
  }

  override addOption(option: Option): this {
    // Before the library's own listener, which takes the value.
    if (takesValue(option)) this.on(`option:${option.name()}`, checking(option));
    return super.addOption(option);
  }

  override addArgument(argument: Argument): this {
    if (/^(path|file)s?$/.test(argument.name()) && argument.parseArg === undefined) {
      argument.argParser((text: string, before: unknown) => {
        const path = pathGiven(`<${argument.name()}>`, text, SYSTEM.paths);
        return argument.variadic ? [...Array.isArray(before) ? before : [], path] : path;
      });
    }
    return super.addArgument(argument);
  }
}

const NAMES_PATH = /<(path|file)>/;

function checking(option: Option): (value: string) => void {
  let given = false;
  return (value) => {
    if (value === "" && !(option instanceof RemarkOption)) {
      throw usageError(`Cannot use an empty value for ${option.long}`, `Write ${option.flags}`);
    }
    if (given && !(option instanceof RepeatableOption)) {
      throw usageError(
        `Cannot use ${option.long}: it was given more than once`,
        "Give it once; only options whose help says so may be repeated",
      );
    }
    given = true;
    if (NAMES_PATH.test(option.flags)) pathGiven(option.long!, value, SYSTEM.paths);
  };
}
