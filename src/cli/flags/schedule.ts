import { Argument, type Command, CommanderError, Option } from "commander";
import { usageError } from "../../core/errors.ts";
import type { NoticeFlags } from "../notices/rotation_notices.ts";
import { type Commands, TableCommand } from "./command.ts";
import { addRotate } from "./rotate.ts";
import { lasting, nonEmpty, timeOfDay } from "./values.ts";

/** `schedule`. */
export const scheduleCommands: Commands = {
  schedule: (program, runner) => {
    program.command("schedule")
      .description("print what makes this machine rotate by itself: units, a crontab line, a task")
      .usage("[options] KIND [-- FLAGS OF ROTATE]")
      .addArgument(
        new Argument("<kind>", "whose it is").choices(["systemd", "cron", "launchd", "windows"]),
      )
      .argument("[flags...]", "after --: flags of `rekey rotate`")
      .addOption(lasting("--every <duration>", "how old a secret may become", "90d"))
      .addOption(
        new Option("--at <time>", "time of day of the daily look, local time").argParser(timeOfDay)
          .default({ hour: 3, minute: 0 }, "03:00"),
      )
      .addOption(
        new Option("--user", "systemd: for the user's own manager (standard unless root)")
          .conflicts("system"),
      )
      .option("--system", "systemd: for the system, shut in (standard for root)")
      .option("--credential <path>", "systemd: file with the KEK, by systemd-creds", nonEmpty)
      .option("--install", "systemd: put the units in their place and start the timer")
      .addOption(
        new Option("--remove", "systemd: undo --install; of the others, say how it is done")
          .conflicts(["install", "credential"]),
      )
      .addHelpText(
        "after",
        `
  Examples:
    rekey schedule systemd --install                      for this user
    rekey schedule cron --every 30d -- --grace 15m
    rekey schedule systemd -- --after 'systemctl reload api'`,
      )
      .action((kind: string, rotate: string[], options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          const receivers = optionsOfRotate(rotate);
          const { schedule } = await import("../commands/schedule.ts");
          await schedule({ ...options, kind, rotate, receivers }, context);
        })
      );
  },
};

const FIXED = ["force", "ifOlderThan", "at", "dryRun", "requestId", "tellFailure"];

// A mistake is to be seen now and not at three in the morning.
function optionsOfRotate(flags: readonly string[]): NoticeFlags {
  if (flags.length === 0) return {};
  const rotate = new TableCommand();
  addRotate(rotate, () => Promise.resolve());
  rotate.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  let why: string | undefined;
  try {
    rotate.parse([...flags], { from: "user" });
    const fixed = FIXED.find((name) => rotate.getOptionValueSource(name) === "cli");
    if (fixed !== undefined) why = `${longName(rotate, fixed)} is not to be chosen`;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // The library's text may quote a value.
    const option = /^error: (?:unknown option|option) '(--[a-z-]+)/.exec(error.message)?.[1];
    why = option === undefined ? "it is not understood" : `${option} is not understood`;
  }
  if (why === undefined) return rotate.opts();
  throw usageError(
    `Cannot give that to rekey rotate: ${why}`,
    "See `rekey rotate --help`; --force and --if-older-than are given already",
  );
}

function longName({ options }: Command, attribute: string): string {
  return options.find((option) => option.attributeName() === attribute)!.long!;
}
