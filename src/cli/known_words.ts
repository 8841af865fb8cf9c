import type { Command } from "commander";
import { COMMANDS_MEANT, SAME } from "./commands_meant.ts";
import { FLAGS_MEANT, FLAGS_OF, NO_FLAG, optionsOf } from "./flags_meant.ts";

/**
 * The names of flags and commands, rekey's and those that users of other programs type. Only these may be repeated of a
 * wrong command line: any other word, also one that looks like a name, may be a password.
 */
export class KnownWords {
  readonly #flags: ReadonlySet<string>;
  readonly #commands: ReadonlySet<string>;

  /** @param program with all commands. */
  constructor(program: Command) {
    const all = below(program);
    const own = all.flatMap(optionsOf).flatMap(({ long, short }) => [long, short]);
    const meant = [
      ...Object.entries(FLAGS_MEANT).flat(),
      ...[NO_FLAG, ...Object.values(FLAGS_OF)].flatMap(Object.keys),
    ];
    const called = all.map((command) => command.name());
    this.#flags = new Set([...own.filter((name) => name !== undefined), ...inWords(meant)]);
    this.#commands = new Set([...called, ...inWords([...Object.keys(COMMANDS_MEANT), ...SAME])]);
  }

  /** @param word without a value. A single letter tells nothing, nor does `-name` or `--no-name` of a name. */
  hasFlag(word: string): boolean {
    if (/^-[A-Za-z]$/.test(word)) return true;
    const long = word.replace(/^-(?=[a-z]{2})/, "--");
    const opposite = long.startsWith("--no-")
      ? long.replace("--no-", "--")
      : long.replace("--", "--no-");
    return [word, long, opposite].some((name) => this.#flags.has(name));
  }

  hasCommand(word: string): boolean {
    return this.#commands.has(word);
  }
}

function below(command: Command): Command[] {
  return [command, ...command.commands.flatMap(below)];
}

const inWords = (texts: readonly string[]) => texts.flatMap((text) => text.split(" "));
