import { homedir, userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { ownProgram } from "../../core/app.ts";
import { RekeyError, usageError } from "../../core/errors.ts";
import { type Context, lookAt, variable } from "../context.ts";
import { spelled } from "../format.ts";
import { mustFit } from "./next_step.ts";
import { checkLines, cronLine, type Plan, type Schedule, variablesFor } from "../schedule/plan.ts";
import { installUnits, obstacles, removeUnits } from "../schedule/install.ts";
import { launchdJob } from "../schedule/launchd.ts";
import { configFolder } from "../schedule/traces.ts";
import { systemdUnits } from "../schedule/systemd.ts";
import type { Output } from "../output.ts";
import { Deliveries } from "../../store/sqlite/deliveries.ts";
import { type Receivers, Webhook } from "../notices/webhook.ts";
import { windowsTask } from "../schedule/windows.ts";
import { placeOf } from "../../stream/names.ts";
import { SYSTEM } from "../../system/system.ts";

/** Flags of `rekey schedule`. */
export interface ScheduleFlags {
  readonly kind: "systemd" | "cron" | "launchd" | "windows";
  /** Seconds. */
  readonly every: number;
  /** Seconds. */
  readonly standby?: number;
  readonly at: { readonly hour: number; readonly minute: number };
  readonly user?: true;
  readonly system?: true;
  readonly credential?: string | undefined;
  readonly install?: true;
  readonly remove?: true;
  /** Flags of `rekey rotate`, as they were given. */
  readonly rotate: readonly string[];
  /** The receivers among those flags, checked now. */
  readonly receivers: Receivers;
}

const SHORTEST_SECONDS = 3_600;

/** Prints a schedule for automatic rotation; with `--install` installs it. */
export async function schedule(options: ScheduleFlags, context: Context): Promise<void> {
  const { output } = context;
  check(options);
  const plan = planOf(options, context);
  const credential = options.credential && resolve(options.credential);
  const texts = [plan.program, plan.home, credential ?? "", ...plan.args];
  checkLines([
    ...texts,
    ...Object.values(plan.variables),
    configFolder(context.secrets.environment, plan.home),
  ]);
  const of = ownerOf(options);
  const { files, next, removal } = scheduleFor({ ...options, credential }, plan, of, context);
  if (options.remove) return await remove(options, files, of, removal, output);
  if (options.install) await installUnits(files, of);
  const result = { files, installed: options.install === true };
  if (options.install) output.result(result, files.map(({ path }) => `installed ${path}`));
  else {
    output.text(result, printed(files));
    output.remark("");
    output.remark(next);
  }
  for (const text of obstacles(options.kind, of, context)) output.warning(text);
}

async function remove(
  { kind }: ScheduleFlags,
  files: Schedule["files"],
  of: "user" | "system",
  removal: string,
  output: Output,
): Promise<void> {
  if (kind !== "systemd") {
    return output.result({ removed: [], removal }, [`Remove it with ${removal}`]);
  }
  const removed = await removeUnits(files, of);
  const human = removed.map((path) => `removed ${path}`);
  output.result({ removed }, removed.length > 0 ? human : ["Nothing to remove: no unit is there"]);
}

function check(options: ScheduleFlags): void {
  const { kind, every, standby, install, remove, credential, user, system, receivers } = options;
  if (!remove && Webhook.all(receivers).some(({ hasSecretAddress }) => hasSecretAddress)) {
    requireUrlFile(receivers);
  }
  if (every < SHORTEST_SECONDS) {
    throw usageError(
      "Cannot schedule it: less than an hour is too often",
      "Each rotation ends every session. Write --every 1h or more",
    );
  }
  if (standby !== undefined) mustFit(standby, every);
  if (kind === "systemd" && install) requireSystemd();
  if (kind === "systemd" || !(install || user || system || credential !== undefined)) return;
  const flags = "--install, --user, --system and --credential";
  throw usageError(`Cannot use that for ${kind}`, `${flags} are systemd's`);
}

function requireSystemd(): void {
  if (SYSTEM.schedule === "systemd") return;
  throw new RekeyError("failed", "Cannot schedule it: this system has no systemd", {
    hint: `Use \`rekey schedule ${SYSTEM.schedule}\`; without --install the units are printed`,
  });
}

// Other users can read units and process lists.
function requireUrlFile(receivers: Receivers): void {
  const { notifyUrl } = receivers;
  const named = Webhook.all({ ...receivers, notifyUrlFile: [] });
  if (notifyUrl === undefined || !named.some(({ hasSecretAddress }) => hasSecretAddress)) return;
  throw usageError(
    "Cannot schedule it with that --notify-url: anyone who can read the address could post to it",
    "Write it into a file that only you can read, and give --notify-url-file FILE instead",
  );
}

// The notice flags among rotate's flags.
function ofNotices(rotate: readonly string[]): string[] {
  const pairs = rotate.map((word, at) =>
    /^--notify-[a-z-]+$/.test(word)
      ? [word, rotate[at + 1]!]
      : /^--notify-/.test(word)
      ? [word]
      : []
  );
  return pairs.flat();
}

function planOf(
  { kind, every, standby, at, rotate, remove }: ScheduleFlags,
  context: Context,
): Plan {
  const { secrets: { environment }, globals } = context;
  const { app, folders } = environment;
  const variables = { REKEY_APP: app.name, ...variablesFor(globals, variable) };
  const due = ["--if-older-than", spelled(every)];
  if (standby !== undefined) due.push("--standby", spelled(standby));
  const words = rotate.map(asAbsolute);
  const delivers = lookAt(environment, ({ database }) => new Deliveries(database).count() > 0);
  // A unit may be there from the time of deliveries that were removed since.
  const isWatched = delivers || (remove && kind === "systemd");
  const reason = rotate.some((flag) => /^--reason(=|$)/.test(flag))
    ? []
    : ["--reason", "scheduled"];
  return {
    app: app.name,
    dataDir: folders.dataNamed ? folders.data : undefined,
    program: ownProgram() ?? Deno.execPath(),
    args: ["rotate", "--force", ...due, ...reason, ...words],
    failure: ["rotate", "--force", "--tell-failure", "--reason", "scheduled", ...ofNotices(words)],
    watch: isWatched ? ["deliver", "sync", "--watch"] : undefined,
    variables,
    maxAge: every,
    standby,
    ...at,
    reachesOut: delivers || lookAt(environment, ({ remembered }) => remembered.reachesOut) ||
      reachesOut(rotate, variables),
    home: variable("HOME") ?? variable("USERPROFILE") ?? homedir(),
  };
}

/** Whether what was given has the rotation run a command or use the network. */
function reachesOut(rotate: readonly string[], variables: object): boolean {
  return rotate.some((flag) => /^--(before|after|notify-url(-file)?)(=|$)/.test(flag)) ||
    Object.keys(variables).some((name) => /_COMMAND$|^REKEY_ETCD_ENDPOINTS$/.test(name));
}

// A scheduler runs in another working directory.
function asAbsolute(word: string, at: number, words: readonly string[]): string {
  const [, flag, assigned] = /^(--notify-(?:key|url)-file)=(.+)$/s.exec(word) ?? [];
  if (assigned !== undefined) return `${flag}=${resolve(assigned)}`;
  return /^--notify-(key|url)-file$/.test(words[at - 1] ?? "") ? resolve(word) : word;
}

// Root installs system units; other users have their own manager.
function ownerOf({ user, system }: ScheduleFlags): "user" | "system" {
  if (user || system) return user ? "user" : "system";
  return Deno.uid() === 0 ? "system" : "user";
}

function scheduleFor(
  { kind, credential }: ScheduleFlags,
  plan: Plan,
  of: "user" | "system",
  context: Context,
): Schedule {
  if (kind === "cron") return cronLine(plan);
  if (kind === "launchd") return launchdJob(plan, of);
  if (kind === "windows") return windowsTask(plan, SYSTEM.processes.account());
  const config = configFolder(context.secrets.environment, plan.home);
  if (of === "user") return systemdUnits(plan, { of, credential, config });
  const { folders, auditTo } = context.secrets.environment;
  const writes = [folders.data, ...foldersOfSinks(auditTo)];
  const manager = { of, user: userInfo().username, writes, credential, config };
  return systemdUnits(plan, manager);
}

function foldersOfSinks(names: readonly string[] = []): string[] {
  const places = names.map(placeOf);
  return places.flatMap((place) => place.kind === "file" ? [dirname(place.path)] : []);
}

// A single file is printed as it is; of several, each gets its path as a heading.
function printed(files: Schedule["files"]): string[] {
  if (files.length === 1) return [files[0]!.content.trimEnd()];
  return files.map(({ path, content }) => `# ${path}\n${content}`);
}
