import type { Command, CommanderError } from "commander";
import { type RekeyError, usageError } from "../core/errors.ts";
import { argumentsMeant, commandMeant } from "./commands_meant.ts";
import { commandNamed, flagMeant, lineOf, optionsOf } from "./flags_meant.ts";
import { KnownWords } from "./known_words.ts";

/**
 * A usage error in rekey's words. Commander's messages quote the command line, which may hold a token or a password by
 * mistake: only names of flags and commands that are known are repeated.
 *
 * @param command the one whose help says more.
 */
export async function commandLineError(
  error: CommanderError,
  command: Command,
  given: Line,
): Promise<RekeyError> {
  const [guess] = GUESS.exec(error.message) ?? [];
  const { fault, advice, about } = await faultIn(error, command, given);
  // Words that look alike may mean the opposite.
  const text = [fault, advice === undefined ? guess : undefined].filter(Boolean).join(" ");
  const help = `\`${lineOf(about)} --help\``;
  return usageError(text, advice === undefined ? `See ${help}` : `${advice}; see ${help}`);
}

/** A command line. */
export interface Line {
  /** The words that are rekey's. */
  readonly line: readonly string[];
  /** The program with all commands. */
  all(): Promise<Command>;
}

const EXEC_LINE = "Write `rekey exec -- PROGRAM ARGUMENTS…`";

const GUESS = /\(Did you mean [^)]*\?\)$/;

interface Fault {
  readonly fault: string;
  readonly advice?: string | undefined;
  /** The command whose help says more. */
  readonly about: Command;
}

async function faultIn(
  { code, message }: CommanderError,
  command: Command,
  given: Line,
): Promise<Fault> {
  const [, typed = ""] = /^error: unknown \w+ '(.*)'/s.exec(message) ?? [];
  switch (code) {
    case "commander.invalidArgument":
      return { ...unusableValue(message), about: command };
    case "commander.unknownCommand":
      return await unknownCommand(typed, command, given);
    case "commander.excessArguments":
      return await excess(faultOf(code, message), command, given);
    case "commander.unknownOption":
      return await unknownFlag(typed, command, { ...given, isGuessed: GUESS.test(message) });
    default:
      return { fault: faultOf(code, message), about: command };
  }
}

async function unknownFlag(
  typed: string,
  command: Command,
  { line, all, isGuessed }: Line & { readonly isGuessed: boolean },
): Promise<Fault> {
  const about = commandNamed(command, line);
  const flag = typed.split("=", 1)[0]!;
  const known = optionsOf(command).find(({ long, short }) => [long, short].includes(flag));
  if (known !== undefined) {
    // With a value, commander does not know it.
    return { fault: `${known.long} takes no value`, advice: `Write ${known.long} alone`, about };
  }
  // It may be the program's.
  const own = line.slice(line.indexOf("exec") + 1, line.indexOf(typed));
  if (command.name() === "exec" && hasWord(own, command)) {
    return { fault: "There is no -- before the program", advice: EXEC_LINE, about };
  }
  const isName = new KnownWords(await all()).hasFlag(flag);
  const place = !isGuessed && line.includes(typed) ? ` (argument ${line.indexOf(typed) + 1})` : "";
  const which = isName ? ` ${flag}` : place;
  return { fault: `Unknown option${which}`, advice: flagMeant(flag, command, line), about };
}

/** Whether one of the words is neither a flag nor a flag's value. */
function hasWord(words: readonly string[], command: Command): boolean {
  let isValue = false;
  for (const word of words) {
    if (!isValue && !word.startsWith("-")) return true;
    const option = optionsOf(command).find(({ long, short }) => [long, short].includes(word));
    isValue = !isValue && option?.required === true;
  }
  return false;
}

async function unknownCommand(word: string, group: Command, { all }: Line): Promise<Fault> {
  const isName = new KnownWords(await all()).hasCommand(word);
  const fault = `Unknown command${isName ? ` ${word}` : ""}`;
  return { fault, advice: commandMeant(word, group), about: group };
}

/** Arguments that are too many: the first one may be meant as a command, where its group has one for none. */
async function excess(fault: string, command: Command, given: Line): Promise<Fault> {
  const words = command.args.slice(command.registeredArguments.length);
  const group = command.parent!;
  return group.parent === null || given.line.includes(command.name())
    ? { fault, advice: argumentsMeant(command, words), about: command }
    : await unknownCommand(words[0]!, group, given);
}

/** What is wrong with a value; how to write it is advice. */
function unusableValue(message: string): Omit<Fault, "about"> {
  const [, argument, choices] = /for argument '([a-z]+)'\. ([^']*?)\.*$/.exec(message) ?? [];
  if (argument !== undefined) return { fault: `Cannot use that as <${argument}>: ${choices}` };
  const fault = `Cannot use the value of ${definedIn(message)}`;
  const [, why = ""] = /^.*' is invalid\. (.*?)\.?$/s.exec(message) ?? [];
  return /^(Write|Name) /.test(why) ? { fault, advice: why } : { fault: `${fault}: ${why}` };
}

/** The option or argument that a message is about: its name as defined, never as typed. */
function definedIn(message: string): string | undefined {
  return /^error: (?:required )?(?:option|missing required argument) '([^']*)'/.exec(message)?.[1];
}

// Names as defined, never as typed.
function faultOf(code: string, message: string): string {
  const parts = (pattern: RegExp) => pattern.exec(message)?.slice(1) ?? [];
  switch (code) {
    case "commander.help":
      return "No command was given";
    case "commander.excessArguments": {
      const [wanted, given] = parts(/Expected (\d+) arguments? but got (\d+)/);
      return `Too many arguments were given: ${given}, where ${wanted} can be taken`;
    }
    case "commander.conflictingOption": {
      const [one, other] = parts(/^error: option '([^']*)' cannot be used with option '([^']*)'$/);
      return `Cannot use ${one} together with ${other}`;
    }
    case "commander.missingArgument":
      return `<${definedIn(message)}> is needed`;
    case "commander.missingMandatoryOptionValue":
      return `${definedIn(message)} is needed`;
    case "commander.optionMissingArgument":
      return `${definedIn(message)} needs a value`;
    default:
      return "The command line cannot be understood";
  }
}
