import type { Command } from "commander";
import { type Commands, RepeatableOption, run } from "./command.ts";
import { count, head, instant, several } from "./values.ts";

/** `stats` and `audit`. */
export const auditCommands: Commands = {
  stats: (program, runner) => {
    program.command("stats")
      .description(
        "success rate, retrieval times, fallback rate and rotations, from what is recorded",
      )
      .action(run(runner, async () => (await import("../commands/audit.ts")).stats));
  },
  audit: (program, runner) => {
    const audit = program.command("audit").description("what happened to the secret");
    audit.command("list", { isDefault: true })
      .description("show the newest audit rows")
      .option("--limit <count>", "how many", count, 50)
      .option("--before <seq>", "only rows before this number: the page before", count)
      .addOption(several("--event <text>", "only events whose text has this in it"))
      .addOption(
        new RepeatableOption("--of <version>", "only rows of this version of the secret", count),
      )
      .addOption(several("--actor <name>", "only what this actor did, as USER@HOST"))
      .option(
        "--since <when>",
        "only rows from this time on: 24h (ago), or 2026-11-23T03:00:00Z",
        instant,
      )
      .option("--until <when>", "only rows before this time", instant)
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditList));
    audit.command("export")
      .description("print every audit row as one JSON object a line")
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditExport));
    audit.command("merge")
      .description("put exports of machines that share a secret into one order")
      .argument("<files...>", "what `audit export` has printed, a file for each machine")
      .action((paths: string[], _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          (await import("../commands/audit.ts")).auditMerge(paths, context);
        })
      );
    audit.command("verify")
      .description(
        "recompute the chain of hashes; exit 5 and name the first bad row when it is broken",
      )
      .option(
        "--expect-head <head>",
        "a head printed before, SEQ:HASH, that the log must still hold",
        head,
      )
      .action(run(runner, async () => (await import("../commands/audit.ts")).auditVerify));
  },
};
