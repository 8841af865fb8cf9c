import { type Argument, Command, Option } from "commander";
import type { Context, GlobalOptions } from "../context.ts";
import { usageError } from "../../core/errors.ts";
import { SYSTEM } from "../../system/system.ts";
import { pathGiven } from "../../system/paths.ts";
import { LONGEST_REASON } from "../../core/limits.ts";
import { atMost, duration, nonEmpty, rsaBits, secretBytes } from "./values.ts";
import { SHAPE_ENCODINGS } from "../../core/secret.ts";

/** Makes the context from global flags, runs the command, and cleans up. */
export type Runner = (
  globals: GlobalOptions,
  call: (context: Context) => Promise<void>,
) => Promise<void>;

/** Adds one command, with its flags, to the program. */
type Add = (program: TableCommand) => void;

/** Commands by their names, in the order of the help. */
export type Commands = Readonly<Record<string, Add>>;

/** An option that may be repeated; it collects its values in order. */
export class RepeatableOption extends Option {}

/** An option with a free remark, which may be empty. */
export class RemarkOption extends Option {}

/** Whether an option takes a value. */
export function takesValue(option: Option | undefined): option is Option {
  return option !== undefined && (option.required || option.optional);
}

/**
 * A command, with shorthands for rekey's kinds of options. It refuses doubtful values: an option given twice (unless it
 * may be repeated), before or after a subcommand's name; an empty value, which is often an unset shell variable; and a
 * path that the shell did not expand, in options and arguments called `path` or `file`.
 */
export class TableCommand extends Command {
  /** @param runner runs this command or the subcommand that was given. */
  constructor(name: string, readonly runner: Runner) {
    super(name);
    // Otherwise --help of an unknown command would print the help of its parent.
    this.on("beforeHelp", () => {
      const [word = "-"] = this.args.filter((arg) => !/^(-h|--help)$/.test(arg));
      const isKnown = this.commands.some((one) => one.name() === word);
      if (this.commands.length > 0 && !/^-|^help$/.test(word) && !isKnown) {
        this.args = [word];
        (this as unknown as { unknownCommand(): never }).unknownCommand();
      }
    });
  }

  override createCommand(name = ""): TableCommand {
    return new TableCommand(name, this.runner);
  }

  /** What commander calls for `GROUP help WORD…`. Its own shows the group's help for a word that it does not know. */
  async _dispatchHelpCommand(): Promise<void> {
    const { helpOf } = await import("./help.ts");
    const end = this.args.findIndex((word) => word.startsWith("-"));
    await helpOf(this, this.args.slice(1, end < 0 ? undefined : end));
  }

  /**
   * Sets the function that the command runs. It takes the options, with the arguments under their names.
   *
   * @param load loads the function when the command is given, so that no command slows down another.
   */
  runs<O>(load: () => Promise<(options: O, context: Context) => void | Promise<void>>): this {
    return this.action((...given: unknown[]) => {
      const named = this.registeredArguments.map((argument, at) => [argument.name(), given[at]]);
      const options = { ...this.opts(), ...Object.fromEntries(named) } as O;
      return this.runner(
        this.optsWithGlobals(),
        async (context) => await (await load())(options, context),
      );
    });
  }

  /** Adds an option that takes one of a few values. */
  choice(flags: string, description: string, choices: readonly string[]): this {
    return this.addOption(new Option(flags, description).choices(choices));
  }

  /** Adds an option with a default. @param standard the default as text. */
  withDefault<T>(flags: string, description: string, standard: string, parse: Parse<T>): this {
    const option = new Option(flags, description).argParser((text: string) => parse(text));
    return this.addOption(option.default(parse(standard), standard));
  }

  /** Adds an option that takes a duration, in seconds. @param standard the default as text. */
  duration(flags: string, description: string, standard: string): this {
    return this.withDefault(flags, description, standard, duration);
  }

  /** Adds an option that may be repeated. @param parse parses one value, given those before. */
  repeatable(flags: string, description: string, parse: ParseNext<unknown> = nonEmpty): this {
    return this.addOption(repeatable(flags, description, parse));
  }

  /** Adds `--reason`. */
  reason(): this {
    const option = new RemarkOption("--reason <text>", "why, for the audit log");
    return this.addOption(option.argParser(atMost(LONGEST_REASON)));
  }

  /** Adds `--bytes` and `--as`, the shape of a new secret. @param standard the defaults as text. */
  shape(standard: { bytes: string; encoding: string; bits: string }): this {
    return this
      .option(
        "--bytes <count>",
        `size of the new secret in bytes (default: ${standard.bytes})`,
        secretBytes,
      )
      .choice(
        "--as <encoding>",
        `how it is written (default: ${standard.encoding})`,
        SHAPE_ENCODINGS,
      )
      .option(
        "--bits <count>",
        `size of an RSA key: 2048, 3072 or 4096 (default: ${standard.bits})`,
        rsaBits,
      );
  }

  /** Adds `--wait`, in seconds. */
  waiting(): this {
    return this.option(
      "--wait <duration>",
      "with the secret in etcd: wait until every server and its deliveries confirm it; exit 5 if one does not in time",
      duration,
    );
  }

  /** Refuses an option of all commands beside some of its own, which would ignore it. */
  withoutGlobal(name: string, own: readonly string[]): this {
    return this.hook("preAction", () => {
      const given = this.optsWithGlobals();
      const other = this.options.find((option) =>
        own.includes(option.attributeName()) && given[option.attributeName()] !== undefined
      );
      if (given[name] === undefined || other === undefined) return;
      throw usageError(`Cannot use --${name} together with ${other.long}`, `Leave out --${name}`);
    });
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

type Parse<T> = (text: string) => T;
type ParseNext<T> = (text: string, before: readonly T[]) => T;

/** An option that collects its values. @param parse throws `InvalidArgumentError`. */
export function repeatable<T>(flags: string, description: string, parse: ParseNext<T>): Option {
  const option = new RepeatableOption(flags, `${description}; may be repeated`);
  return option.argParser((text: string, before: readonly T[] | undefined) => {
    // At first, commander passes the default.
    const known = before === undefined || before === option.defaultValue ? [] : before;
    return [...known, parse(text, known)];
  });
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
