import { Argument, type Command, CommanderError, Option } from "commander";
import { type RekeyError, usageError } from "../../core/errors.ts";
import type { NoticeFlags } from "../notices/rotation_notices.ts";
import { type Commands, TableCommand } from "./command.ts";
import type { ScheduleFlags } from "../commands/schedule.ts";
import { addRotate } from "./rotate.ts";
import { timeOfDay } from "./times.ts";
import { duration, nonEmpty } from "./values.ts";

/** `schedule`. */
export const scheduleCommands: Commands = {
  schedule: (program) => {
    program.command("schedule")
      .description("print a schedule for automatic rotation: systemd units, a crontab line, a task")
      .usage("[options] KIND [-- FLAGS OF ROTATE]")
      .addArgument(
        new Argument("<kind>", "the scheduler").choices(["systemd", "cron", "launchd", "windows"]),
      )
      .argument("[flags...]", "after --: flags of `rekey rotate`")
      .duration("--every <duration>", "age at which the secret is rotated", "90d")
      .option(
        "--standby <duration>",
        "give verifiers each next key so long before it signs (rotate in two phases)",
        duration,
      )
      .withDefault("--at <time>", "local time of the daily check", "03:00", timeOfDay)
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
    rekey schedule systemd --every 30d --standby 2d -- --alg ES256 --grace 24h
    rekey schedule systemd -- --after 'systemctl reload api'`,
      )
      .runs(async () => {
        const { schedule } = await import("../commands/schedule.ts");
        return ({ flags: rotate, ...options }: Given, context) =>
          schedule(
            { ...options, rotate, receivers: optionsOfRotate(rotate) },
            context,
          );
      });
  },
};

/** Flags of `schedule`, with those of `rotate` as they were given. */
type Given = Omit<ScheduleFlags, "rotate" | "receivers"> & { readonly flags: string[] };

const FIXED = ["force", "ifOlderThan", "standby", "at", "dryRun", "requestId", "tellFailure"];
const PHASES = ["prepare", "activate"];

// Mistakes must show now, not when the timer runs.
function optionsOfRotate(flags: readonly string[]): NoticeFlags {
  if (flags.length === 0) return {};
  const rotate = new TableCommand("rotate", () => Promise.resolve());
  addRotate(rotate);
  rotate.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  let why: string | undefined;
  try {
    rotate.parse([...flags], { from: "user" });
    const isGiven = (name: string) => rotate.getOptionValueSource(name) === "cli";
    if (PHASES.some(isGiven)) throw refusedPhase();
    const fixed = FIXED.find(isGiven);
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
    "See `rekey rotate --help`; --force, --if-older-than and --standby are given already",
  );
}

function refusedPhase(): RekeyError {
  return usageError(
    "Cannot schedule --prepare or --activate: a timer does the same each time",
    "Write `rekey schedule … --standby 2d -- --grace 24h`: the timer does both, when they are due",
  );
}

function longName({ options }: Command, attribute: string): string {
  return options.find((option) => option.attributeName() === attribute)!.long!;
}
