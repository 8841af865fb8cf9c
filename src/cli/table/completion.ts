import { Argument } from "commander";
import type { Shell } from "../completion/scripts.ts";
import type { Commands } from "./runner.ts";

/** `completions`, and what its scripts call. */
export const completionCommands: Commands = {
  completions: (program, runner) => {
    program.command("completions")
      .description("print what makes a shell complete command lines of rekey")
      .addArgument(
        new Argument("<shell>", "whose it is").choices(["bash", "zsh", "fish", "powershell"]),
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
      .action((shell: Shell, _options, command) =>
        runner(command.optsWithGlobals(), async ({ output }) => {
          const { completionScript } = await import("../completion/scripts.ts");
          const script = completionScript(shell);
          output.result({ shell, script }, [script.trimEnd()]);
        })
      );
  },
  complete: (program, runner) => {
    program.command("complete", { hidden: true })
      .action(async () => {
        const { complete, globalsOf, lineFromStdin } = await import("../commands/complete.ts");
        const line = lineFromStdin(program);
        await runner(globalsOf(line), (context) => Promise.resolve(complete(line, context)));
      });
  },
};
