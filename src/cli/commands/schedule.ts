import { userInfo } from "node:os";
import { dirname } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import { type Context, variable } from "../context.ts";
import { cronLine } from "../schedule/cron.ts";
import { installUnits } from "../schedule/install.ts";
import { launchdAgent } from "../schedule/launchd.ts";
import { checkLines, type Plan, type Schedule, spelled } from "../schedule/plan.ts";
import { systemdUnits } from "../schedule/systemd.ts";
import { variablesFor } from "../schedule/variables.ts";
import { windowsTask } from "../schedule/windows.ts";

/** Flags of `rekey schedule`. */
export interface ScheduleFlags {
  readonly kind: "systemd" | "cron" | "launchd" | "windows";
  /** Seconds. */
  readonly every: number;
  readonly at: { readonly hour: number; readonly minute: number };
  readonly user?: true;
  readonly system?: true;
  readonly credential?: string;
  readonly install?: true;
  /** Flags of `rekey rotate`, as they were given. */
  readonly rotate: readonly string[];
}

const SHORTEST_SECONDS = 3_600;

/** Prints what makes a machine rotate by itself; with `--install` puts it in its place. */
export async function schedule(options: ScheduleFlags, context: Context): Promise<void> {
  const { output } = context;
  check(options);
  const plan = planOf(options, context);
  checkLines([plan.program, plan.home, ...plan.args, ...Object.values(plan.variables)]);
  const of = ownerOf(options);
  const { files, next } = scheduleFor(options, plan, of, context);
  if (options.install) await installUnits(files, of);
  const human = options.install ? files.map(({ path }) => `installed ${path}`) : printed(files);
  output.result({ files, installed: options.install === true }, human);
  if (!options.install) output.remark(`\n${next}`);
}

function check({ kind, every, install, credential }: ScheduleFlags): void {
  if (every < SHORTEST_SECONDS) {
    throw new RekeyError("usage", "Cannot schedule it: less than an hour is too often", {
      hint: "Each rotation ends every session. Write --every 1h or more",
    });
  }
  if (kind === "systemd" || (!install && credential === undefined)) return;
  throw new RekeyError(
    "usage",
    `Cannot use ${install ? "--install" : "--credential"} for ${kind}`,
    {
      hint: "It is systemd's",
    },
  );
}

function planOf({ every, at, rotate }: ScheduleFlags, context: Context): Plan {
  const { secrets: { environment: { app } }, globals } = context;
  const due = ["--if-older-than", spelled(every)];
  return {
    app: app.name,
    program: Deno.execPath(),
    args: ["rotate", "--force", ...due, "--reason", "scheduled", ...rotate],
    variables: variablesFor(globals, variable),
    maxAge: every,
    ...at,
    reachesOut: rotate.some((flag) => /^--(before|after|notify-url)(=|$)/.test(flag)),
    home: variable("HOME") ?? variable("USERPROFILE") ?? "",
  };
}

// Root's units are the system's; whoever else is logged in has a manager of their own.
function ownerOf({ user, system }: ScheduleFlags): "user" | "system" {
  if (user || system) return user ? "user" : "system";
  return Deno.build.os !== "windows" && Deno.uid() === 0 ? "system" : "user";
}

function scheduleFor(
  { kind, credential }: ScheduleFlags,
  plan: Plan,
  of: "user" | "system",
  { secrets: { environment: { folders } } }: Context,
): Schedule {
  if (kind === "cron") return cronLine(plan);
  if (kind === "launchd") return launchdAgent(plan);
  if (kind === "windows") return windowsTask(plan);
  const config = folders.config === undefined ? `${plan.home}/.config` : dirname(folders.config);
  if (of === "user") return systemdUnits(plan, { of, credential, config });
  const { username: user, homedir } = userInfo();
  // The system gives a service its user's own home folder.
  const HOME = plan.home === homedir ? {} : { HOME: plan.home };
  const variables = { ...plan.variables, ...HOME };
  const manager = { of, user, writes: [folders.data], credential, config };
  return systemdUnits({ ...plan, variables }, manager);
}

// One that is alone can go straight into a file; of several each says where it belongs.
function printed(files: Schedule["files"]): string[] {
  if (files.length === 1) return [files[0]!.content.trimEnd()];
  return files.map(({ path, content }) => `# ${path}\n${content}`);
}
