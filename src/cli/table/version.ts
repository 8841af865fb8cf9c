import { type Commands, run } from "./runner.ts";

/** `version`; the flag `--version` says less and needs none of it. */
export const versionCommands: Commands = {
  version: (program, runner) => {
    program.command("version")
      .description("show what the program is made of: commit, runtime, packages and their licences")
      .option("--licenses", "print the licences' texts")
      .action(run(runner, async () => (await import("../commands/version.ts")).version));
  },
};
