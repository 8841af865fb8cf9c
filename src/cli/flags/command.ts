import { type Argument, Command, Option } from "commander";
import type { Context, GlobalOptions } from "../context.ts";
import { usageError } from "../../core/errors.ts";
import { SYSTEM } from "../../system/system.ts";
import { pathGiven } from "../../system/paths.ts";

/** A command's implementation, loaded when it is called, so that no command slows down another. */
type Run<O> = (options: O, context: Context) => Promise<void>;

/** An implementation whose only argument is a name. */
export type NamedRun = (name: string, context: Context) => Promise<void>;

/** Makes the context from global flags, runs the command, and cleans up. */
export type Runner = (
  globals: GlobalOptions,
  call: (context: Context) => Promise<void>,
) => Promise<void>;

/** The action of a command without arguments. */
export function run<O>(runner: Runner, load: () => Promise<Run<O>>) {
  return (options: O, command: Command) =>
    runner(command.optsWithGlobals(), async (context) => await (await load())(options, context));
}

/** Adds one command, with its flags, to the program. */
type Add = (program: Command, runner: Runner) => void;

/** Commands by their names, in the order of the help. */
export type Commands = Readonly<Record<string, Add>>;

/** An option that may be repeated; it collects its values in order. */
export class RepeatableOption<T = string> extends Option {
  /**
   * @param flags in commander's notation, with the value in `<>`.
   * @param description of one value; "may be repeated" is added.
   * @param parse parses one value, given those before; throws `InvalidArgumentError`.
   */
  constructor(
    flags: string,
    description: string,
    parse: (text: string, before: readonly T[]) => T,
  ) {
    super(flags, `${description}; may be repeated`);
    this.argParser((text: string, before: readonly T[] | undefined) => {
      // At first, commander passes the default.
      const known = before === undefined || before === this.defaultValue ? [] : before;
      return [...known, parse(text, known)];
    });
  }
}

/** An option with a free remark, which may be empty. */
export class RemarkOption extends Option {}

/** Whether an option takes a value. */
export function takesValue(option: Option | undefined): option is Option {
  return option !== undefined && (option.required || option.optional);
}

/**
 * A command that refuses doubtful values: an option given twice (unless it may be repeated), before or after a
 * subcommand's name; an empty value, which is often an unset shell variable; and a path that the shell did not expand, in
 * options and arguments called `path` or `file`.
 */
export class TableCommand extends Command {
  constructor(name?: string) {
    super(name);
    // Otherwise --help of an unknown command would print the help of its parent.
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
    // Added before commander's listener, which stores the value.
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
