import type { Command, Option } from "commander";
import { takesValue } from "../flags/command.ts";

/** A command line being typed: the words so far, and the last word to complete. */
export interface TypedLine {
  /** The command named so far. */
  readonly command: Command;
  /** Arguments of the command so far. */
  readonly given: readonly string[];
  /** Whether the last word follows `--`, so that it is not an option. */
  readonly afterDashes: boolean;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  /** Option values so far, by long name. */
  readonly values: Readonly<Record<string, string>>;
  readonly word: string;
}

/** Parses the words after the program's name; the last one is being typed and may be empty. */
export function readLine(program: Command, words: readonly string[]): TypedLine {
  let command = program;
  let afterDashes = false;
  let option: Option | undefined;
  const given: string[] = [];
  const values: Record<string, string> = {};
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      values[option.long!] = word;
      option = undefined;
    } else if (afterDashes) {
      given.push(word);
    } else if (word === "--") {
      afterDashes = true;
    } else if (word.startsWith("-") && word !== "-") {
      const [name, value] = split(word);
      const found = optionOf(command, name);
      if (!takesValue(found)) continue;
      if (value === undefined) option = found;
      else values[found.long!] = value;
    } else {
      const below = given.length === 0
        ? command.commands.find((one) => one.name() === word)
        : undefined;
      if (below === undefined) given.push(word);
      else command = below;
    }
  }
  return { command, given, afterDashes, option, values, word: words.at(-1) ?? "" };
}

/** Splits `--name=value`. */
export function split(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** An option of a command or of its parents. */
export function optionOf(command: Command, name: string): Option | undefined {
  return command.options.find(({ short, long }) => name === short || name === long) ??
    (command.parent === null ? undefined : optionOf(command.parent, name));
}
