import type { Command } from "commander";
import { type Commands, RepeatableOption, run } from "./command.ts";
import { count, head, instant, several } from "./values.ts";

/** `stats` and `audit`. */
export const auditCommands: Commands = {
  stats: (program, runner) => {
    program.command("stats")
      .description(
        "show success rate, retrieval times, fallback rate and rotations",
      )
      .action(run(runner, async () => (await import("../commands/audit.ts")).stats));
  },
  audit: (program, runner) => {
    const audit = program.command("audit").description("the log of what happened to the secret");
    audit.command("list", { isDefault: true })
      .description("show the newest audit rows")
      .option("--limit <count>", "how many", count, 50)
      .option("--before <seq>", "only rows before this number: the page before", count)
      .addOption(several("--event <text>", "only events that contain this text"))
      .addOption(
        new RepeatableOption("--of <version>", "only rows of this version of the secret", count),
      )
      .addOption(several("--actor <name>", "only rows of this actor, USER@HOST"))
      .option(
        "--since <when>",
        "only rows from this time on: 24h (ago), or 2026-11-23T03:00:00Z",
        instant,
      )
      .option("--until <when>", "only rows before this time", instant)
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditList));
    audit.command("export")
      .description("print all audit rows as JSON, one object per line")
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditExport));
    audit.command("merge")
      .description("merge exports of machines that share a secret")
      .argument("<files...>", "outputs of `audit export`, one file per machine")
      .action((paths: string[], _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          (await import("../commands/audit.ts")).auditMerge(paths, context);
        })
      );
    audit.command("verify")
      .description(
        "verify the hash chain; exit 5 and show the first bad row if it is broken",
      )
      .option(
        "--expect-head <head>",
        "a head printed earlier, SEQ:HASH, that the log must contain",
        head,
      )
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditVerify));
  },
};
