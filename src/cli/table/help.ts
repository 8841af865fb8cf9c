import type { Command } from "commander";
import { RekeyError } from "../../core/errors.ts";
import { TOPICS } from "../topics/names.ts";
import type { Commands } from "./runner.ts";

/** `help`, of a command or a topic. */
export const helpCommands: Commands = {
  help: (program, runner) => {
    program.command("help")
      .description("show help for a command, or a page about a topic")
      .argument("[word...]", `a command, or a topic: ${TOPICS.join(", ")}`)
      .action((words: string[], _options, command: Command) =>
        runner(command.optsWithGlobals(), async ({ output }) => {
          // `security` is both; the command's own --help has the other one.
          const topic = TOPICS.find((topic) => words.join(" ") === topic);
          if (topic === undefined) return helpOf(program, words);
          const { PAGES } = await import("../topics/topics.ts");
          output.result({ topic, text: PAGES[topic] }, [PAGES[topic].trimEnd()]);
        })
      );
  },
};

function helpOf(program: Command, words: readonly string[]): void {
  const command = words.reduce<Command | undefined>(
    (command, word) => command?.commands.find((one) => one.name() === word),
    program,
  );
  if (command === undefined) throw noSuchHelp(suggestion(program, words));
  command.outputHelp();
}

// The library's own guess, which it makes where it refuses a command.
function suggestion(program: Command, words: readonly string[]): string {
  if (TOPICS.some((topic) => topic === words[0])) return "";
  const known = (from: Command, word: string) => from.commands.find((one) => one.name() === word);
  let command = program;
  for (const word of words) {
    const next = known(command, word);
    if (next === undefined) {
      command.args = [word];
      break;
    }
    command = next;
  }
  try {
    command.outputHelp();
  } catch (error) {
    const [guess] = /\(Did you mean [^)]*\?\)/.exec(String(error)) ?? [];
    if (guess !== undefined) return ` ${guess}`;
  }
  return "";
}

function noSuchHelp(guess: string): RekeyError {
  return new RekeyError("usage", `There is no help of that name${guess}`, {
    hint: `Name a command, or one of ${TOPICS.join(", ")}`,
  });
}
