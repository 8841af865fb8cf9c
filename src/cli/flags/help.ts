import type { Commands } from "./command.ts";
import { Argument, type Command } from "commander";
import { type RekeyError, usageError } from "../../core/errors.ts";
import { TOPICS } from "../topics/topics.ts";

/** `version`; the flag `--version` prints the number only. */
export const versionCommands: Commands = {
  version: (program) => {
    program.command("version")
      .description("show what the program is made of: commit, runtime, packages and their licences")
      .option("--licenses", "print the licences' texts")
      .runs(async () => (await import("../commands/version.ts")).version);
  },
};

/** `help`, of a command or a topic. */
export const helpCommands: Commands = {
  help: (program) => {
    program.command("help")
      .description("show help for a command, or a page about a topic")
      .argument("[word...]", `a command, or a topic: ${TOPICS.join(", ")}`)
      .runs<{ word: string[] }>(() =>
        Promise.resolve(async ({ word: words }, { output }) => {
          // `security` is both; `rekey security --help` has the command's help.
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

// Commander's suggestion, taken from the error for an unknown command.
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
  return usageError(
    `Cannot find that help page${guess}`,
    `Name a command, or one of ${TOPICS.join(", ")}`,
  );
}

/** `completions`, and `complete`, which its scripts call. */
export const completionCommands: Commands = {
  completions: (program) => {
    program.command("completions")
      .description("print the completion script of a shell")
      .addArgument(
        new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish", "powershell"]),
      )
      .addHelpText(
        "after",
        `
  Examples:
    source <(rekey completions bash)                          in ~/.bashrc
    rekey completions zsh > ~/.zfunc/_rekey                   a folder of $fpath
    rekey completions fish > ~/.config/fish/completions/rekey.fish
    rekey completions powershell | Out-String | Invoke-Expression`,
      )
      .runs(async () => (await import("../commands/completions.ts")).completions);
  },
  complete: (program) => {
    program.command("complete", { hidden: true })
      .action(async () => {
        const { complete, globalsOf, lineFromStdin } = await import("../commands/completions.ts");
        const line = lineFromStdin(program);
        await program.runner(
          globalsOf(line),
          (context) => Promise.resolve(complete(line, context)),
        );
      });
  },
};
