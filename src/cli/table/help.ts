import type { Command } from "commander";
import { RekeyError } from "../../core/errors.ts";
import type { Commands } from "./runner.ts";

/** Names of the pages of `rekey help`. */
export const TOPICS = ["concepts", "storage", "rotation", "security", "exit-codes"] as const;

/** `help`, of a command or a topic. */
export const helpCommands: Commands = {
  help: (program, runner) => {
    program.command("help")
      .description("show help for a command, or a page about a topic")
      .argument("[word...]", `a command, or a topic: ${TOPICS.join(", ")}`)
      .action((words: string[], _options, command: Command) =>
        runner(command.optsWithGlobals(), async ({ output }) => {
          const found = named(program, words);
          if (found !== undefined) return found.outputHelp();
          const { PAGES } = await import("../topics/topics.ts");
          const topic = TOPICS.find((topic) => words.join(" ") === topic);
          if (topic === undefined) throw noSuchHelp();
          output.result({ topic, text: PAGES[topic] }, [PAGES[topic].trimEnd()]);
        })
      );
  },
};

function named(program: Command, words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>(
    (command, word) => command?.commands.find((one) => one.name() === word),
    program,
  );
}

function noSuchHelp(): RekeyError {
  return new RekeyError("usage", "There is no help of that name", {
    hint: `Name a command, or one of ${TOPICS.join(", ")}`,
  });
}
