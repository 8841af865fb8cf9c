import { Argument, type Command } from "commander";
import { codesOf, EXIT_STATUSES, usageError } from "../../core/errors.ts";
import backups from "../topics/backups.txt" with { type: "text" };
import concepts from "../topics/concepts.txt" with { type: "text" };
import fleet from "../topics/fleet.txt" with { type: "text" };
import proxies from "../topics/proxies.txt" with { type: "text" };
import rotation from "../topics/rotation.txt" with { type: "text" };
import security from "../topics/security.txt" with { type: "text" };
import storage from "../topics/storage.txt" with { type: "text" };
import type { Commands } from "./command.ts";

/**
 * Pages of `rekey help TOPIC`: the first line is the title, lines in capitals are headings, indented lines are verbatim.
 */
export const PAGES = {
  concepts,
  storage,
  rotation,
  security,
  fleet,
  backups,
  proxies,
  get "exit-codes"() {
    return exitCodes();
  },
};

/** Names of the pages. */
export const TOPICS = Object.keys(PAGES) as (keyof typeof PAGES)[];

/** What stands below the list of all commands. */
export const AFTER_HELP = `
Exit codes:
${Object.entries(EXIT_STATUSES).map(([status, text]) => `  ${status.padEnd(4)} ${text}`).join("\n")}
\`rekey exec\` ends as its program does.

A flag wins over its variable, which stands in brackets.

\`rekey help TOPIC\`, a page about:
${TOPICS.join(", ")}.`;

function exitCodes(): string {
  const lines = Object.entries(EXIT_STATUSES).flatMap(([status, meaning]) => [
    `  ${status.padEnd(4)} ${meaning}`,
    ...codesOf(Number(status)).map((code) => `         ${code}`),
  ]);
  return [
    "Exit statuses and error codes, for scripts",
    "",
    "STATUSES",
    "Each with the codes that a failed command prints with --json:",
    ...lines,
    "",
    "`rekey exec` ends as its program does.\n",
  ].join("\n");
}

/** `version`, of which the flag `--version` prints the number only; `completions`, and `complete`, which its scripts call; `help`. */
export const helpCommands: Commands = {
  version: (program) => {
    program.command("version")
      .description("show what the program is made of: commit, runtime, packages and their licences")
      .option("--licenses", "print the licences' texts")
      .runs(async () => (await import("../commands/version.ts")).version);
  },
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
  help: (program) => {
    program.command("help")
      .description("show help for a command, or a page about a topic")
      .argument("[word...]", `a command, or a topic: ${TOPICS.join(", ")}`)
      .action(async (words: string[]) => {
        // `security` is both; `rekey security --help` has the command's help.
        const topic = TOPICS.find((topic) => words.join(" ") === topic);
        if (topic === undefined) return await helpOf(program, words);
        const text = PAGES[topic];
        await program.runner(program.opts(), ({ output }) => {
          output.text({ topic, text }, [text.trimEnd()]);
          return Promise.resolve();
        });
      });
  },
};

/**
 * Shows a command's help.
 *
 * @param above the program, or the group that the words begin below.
 * @param words its name, with those it belongs to.
 * @throws {RekeyError} `usage` if there is none.
 */
export async function helpOf(above: Command, words: readonly string[]): Promise<void> {
  let command = above;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) {
      const isTopic = TOPICS.some((topic) => topic === words[0]);
      const { commandMeant } = await import("../commands_meant.ts");
      const meant = commandMeant(word, command);
      throw usageError(
        `Cannot find that help page${isTopic || meant ? "" : suggestion(command, word)}`,
        meant ?? `Name a command, or one of ${TOPICS.join(", ")}`,
      );
    }
    command = next;
  }
  command.outputHelp();
}

// Commander's suggestion, taken from the error for an unknown command.
function suggestion(command: Command, word: string): string {
  // Without any below it, it would print its help.
  if (command.commands.length === 0) return "";
  command.args = [word];
  try {
    command.outputHelp();
  } catch (error) {
    const [guess] = /\(Did you mean [^)]*\?\)/.exec(String(error)) ?? [];
    if (guess !== undefined) return ` ${guess}`;
  }
  return "";
}
