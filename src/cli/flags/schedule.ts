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
      .description("print a schedule for automatic rotation: systemd units, a crontab line, a task")
      .usage("[options] KIND [-- FLAGS OF ROTATE]")
      .addArgument(
        new Argument("<kind>", "the scheduler").choices(["systemd", "cron", "launchd", "windows"]),
      )
      .argument("[flags...]", "after --: flags of `rekey rotate`")
      .addOption(lasting("--every <duration>", "age at which the secret is rotated", "90d"))
      .addOption(
        new Option("--at <time>", "local time of the daily check").argParser(timeOfDay)
          .default({ hour: 3, minute: 0 }, "03:00"),
      )
      .addOption(
        new Option("--user", "systemd: user units (default unless root)")
          .conflicts("system"),
      )
      .option("--system", "systemd: system units, sandboxed (default for root)")
      .option("--credential <path>", "systemd: file with the KEK, by systemd-creds", nonEmpty)
      .option("--install", "systemd: install the units and start the timer")
      .addOption(
        new Option("--remove", "systemd: undo --install; others: show how")
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

// Mistakes must show now, not when the timer runs.
function optionsOfRotate(flags: readonly string[]): NoticeFlags {
  if (flags.length === 0) return {};
  const rotate = new TableCommand();
  addRotate(rotate, () => Promise.resolve());
  rotate.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  let why: string | undefined;
  try {
    rotate.parse([...flags], { from: "user" });
    const fixed = FIXED.find((name) => rotate.getOptionValueSource(name) === "cli");
    if (fixed !== undefined) why = `${longName(rotate, fixed)} cannot be set here`;
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
