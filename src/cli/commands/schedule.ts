import { homedir, userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import { type Context, variable } from "../context.ts";
import { cronLine } from "../schedule/cron.ts";
import { installUnits } from "../schedule/install.ts";
import { launchdAgent } from "../schedule/launchd.ts";
import { checkLines, type Plan, type Schedule, spelled } from "../schedule/plan.ts";
import { systemdUnits } from "../schedule/systemd.ts";
import { reachesOut } from "../remembered.ts";
import { Webhook } from "../webhook.ts";
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
  readonly credential?: string | undefined;
  readonly install?: true;
  /** Flags of `rekey rotate`, as they were given. */
  readonly rotate: readonly string[];
  /** Of those, what is to be there when the time has come. */
  readonly notifyUrl?: readonly string[] | undefined;
  readonly notifyKeyFile?: string | undefined;
}

const SHORTEST_SECONDS = 3_600;

/** Prints what makes a machine rotate by itself; with `--install` puts it in its place. */
export async function schedule(options: ScheduleFlags, context: Context): Promise<void> {
  const { output } = context;
  check(options);
  const plan = planOf(options, context);
  const credential = options.credential && resolve(options.credential);
  const texts = [plan.program, plan.home, credential ?? "", ...plan.args];
  checkLines([...texts, ...Object.values(plan.variables), configOf(plan, context)]);
  const of = ownerOf(options);
  const { files, next } = scheduleFor({ ...options, credential }, plan, of, context);
  if (options.install) await installUnits(files, of);
  const human = options.install ? files.map(({ path }) => `installed ${path}`) : printed(files);
  output.result({ files, installed: options.install === true }, human);
  if (!options.install) output.remark(`\n${next}`);
}

function check(options: ScheduleFlags): void {
  const { kind, every, install, credential, user, system, notifyUrl = [], notifyKeyFile } = options;
  notifyUrl.forEach((url) => Webhook.to(url, notifyKeyFile));
  if (every < SHORTEST_SECONDS) {
    throw new RekeyError("usage", "Cannot schedule it: less than an hour is too often", {
      hint: "Each rotation ends every session. Write --every 1h or more",
    });
  }
  if (kind === "systemd" || !(install || user || system || credential !== undefined)) return;
  const flags = "--install, --user, --system and --credential";
  throw new RekeyError("usage", `Cannot use that for ${kind}`, { hint: `${flags} are systemd's` });
}

function planOf({ every, at, rotate }: ScheduleFlags, context: Context): Plan {
  const { secrets: { environment }, globals } = context;
  const { app } = environment;
  const variables = variablesFor(globals, variable);
  const due = ["--if-older-than", spelled(every)];
  const reason = rotate.some((flag) => /^--reason(=|$)/.test(flag))
    ? []
    : ["--reason", "scheduled"];
  return {
    app: app.name,
    program: Deno.execPath(),
    args: ["rotate", "--force", ...due, ...reason, ...rotate.map(asAbsolute)],
    variables,
    maxAge: every,
    ...at,
    reachesOut: reachesOut(environment) ||
      rotate.some((flag) => /^--(before|after|notify-url)(=|$)/.test(flag)) ||
      Object.keys(variables).some((name) => /_COMMAND$|^REKEY_ETCD_ENDPOINTS$/.test(name)),
    home: variable("HOME") ?? variable("USERPROFILE") ?? homedir(),
  };
}

// A scheduler begins in another folder.
function asAbsolute(word: string, at: number, words: readonly string[]): string {
  const [, assigned] = /^--notify-key-file=(.+)$/s.exec(word) ?? [];
  if (assigned !== undefined) return `--notify-key-file=${resolve(assigned)}`;
  return words[at - 1] === "--notify-key-file" ? resolve(word) : word;
}

function configOf({ home }: Plan, { secrets: { environment: { folders } } }: Context): string {
  return folders.config === undefined ? `${home}/.config` : dirname(folders.config);
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
  context: Context,
): Schedule {
  if (kind === "cron") return cronLine(plan);
  if (kind === "launchd") return launchdAgent(plan);
  if (kind === "windows") return windowsTask(plan);
  const config = configOf(plan, context);
  if (of === "user") return systemdUnits(plan, { of, credential, config });
  const { folders } = context.secrets.environment;
  const manager = { of, user: userInfo().username, writes: [folders.data], credential, config };
  return systemdUnits(plan, manager);
}

// One that is alone can go straight into a file; of several each says where it belongs.
function printed(files: Schedule["files"]): string[] {
  if (files.length === 1) return [files[0]!.content.trimEnd()];
  return files.map(({ path, content }) => `# ${path}\n${content}`);
}
