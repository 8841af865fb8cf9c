import { createHash } from "node:crypto";
import { type RekeyError, usageError } from "../../core/errors.ts";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { GlobalOptions } from "../context.ts";
import { sinkName } from "../../stream/names.ts";
import { ETCD_VARIABLES, KEK_VARIABLES } from "../environment.ts";

/** A scheduled rotation, independent of the scheduler. */
export interface Plan {
  readonly app: string;
  /** The data folder, if it is not the default. */
  readonly dataDir?: string | undefined;
  /** Arguments of the command that reports a failure. */
  readonly failure: readonly string[];
  /** The executable's absolute path. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /**
   * Arguments of the command that goes on, and keeps deliveries up to date: an old key leaves programs at the end of its
   * grace period, and not at the next rotation. `undefined` without deliveries.
   */
  readonly watch?: readonly string[] | undefined;
  /** Environment variables that name the installation. */
  readonly variables: Readonly<Record<string, string>>;
  /** Age at which a rotation is due, in seconds. */
  readonly maxAge: number;
  /** How long a version is prepared before it is activated, in seconds; `undefined` for a rotation in one step. */
  readonly standby?: number | undefined;
  /** Local time of the daily check. */
  readonly hour: number;
  readonly minute: number;
  /** Whether it runs other programs or uses the network. */
  readonly reachesOut: boolean;
  readonly home: string;
}

/** A file for a scheduler. */
export interface ScheduleFile {
  readonly path: string;
  readonly content: string;
}

/** The files for a scheduler, and instructions for the operator. */
export interface Schedule {
  readonly files: readonly ScheduleFile[];
  readonly next: string;
  /** How to remove it. */
  readonly removal: string;
}

/** Name of the unit, job or task that rotates; unique for each app and data folder. */
export function jobName(plan: Named): string {
  return nameFor("rotate", plan);
}

/** Name of the one that keeps deliveries up to date. */
export function watchName(plan: Named): string {
  return nameFor("deliver", plan);
}

type Named = Pick<Plan, "app" | "dataDir">;

function nameFor(what: "rotate" | "deliver", { app, dataDir }: Named): string {
  if (dataDir === undefined) return `rekey-${what}-${app}`;
  const mark = createHash("sha256").update(dataDir).digest("hex").slice(0, 8);
  return `rekey-${what}-${app}-${mark}`;
}

// A look each hour for ages of days would be noise in the log; one a day for ages of hours would be late.
const DAILY_FROM_SECONDS = 2 * 86_400;

/** Whether one look a day is enough; else there is one an hour. */
export function isDaily({ maxAge, standby = maxAge }: Plan): boolean {
  return Math.min(maxAge, standby) >= DAILY_FROM_SECONDS;
}

/**
 * Checks texts that become part of one line of a file.
 *
 * @throws {RekeyError} `usage` for a text with a line break or another control character.
 */
export function checkLines(texts: readonly string[]): void {
  // deno-lint-ignore no-control-regex
  if (!texts.some((text) => /[\x00-\x1f\x7f]/.test(text))) return;
  throw usageError(
    "Cannot schedule it: a path, flag or variable has a line break or another control character",
    "Put long commands into a script and name the script",
  );
}

// Limit of many cron implementations for a command.
const LONGEST = 990;

/**
 * A line of crontab(5). Its output goes nowhere, so that cron sends mail only when something is wrong: errors and
 * warnings are on stderr.
 */
export function cronLine(plan: Plan): Schedule {
  const { args, watch, hour, minute } = plan;
  const when = isDaily(plan) ? `${minute} ${hour} * * *` : `${minute} * * * *`;
  const lines = [`${when} ${commandLine(plan, args, ">/dev/null")}\n`];
  // Mail each minute would bury the other one's, which tells of the same: a rotation is a command after which programs
  // that are late are named.
  if (watch) lines.push(`* * * * * ${commandLine(plan, ["deliver", "sync"], ">/dev/null 2>&1")}\n`);
  return {
    files: [{ path: "crontab", content: lines.join("") }],
    next: "add it with `crontab -e`; a keyring is out of cron's reach unless its session bus is " +
      "named (DBUS_SESSION_BUS_ADDRESS)",
    removal: `\`crontab -l | grep -v '# ${jobName(plan)}$' | crontab -\``,
  };
}

function commandLine(plan: Plan, args: readonly string[], streams: string): string {
  const { program, variables } = plan;
  const command = [
    ...Object.entries(variables).map(([name, value]) => `${name}=${word(value)}`),
    ...[program, ...args].map(word),
    `--quiet ${streams} # ${jobName(plan)}`,
  ].join(" ");
  const line = command.replaceAll("%", "\\%");
  if (line.length > LONGEST) throw tooLong();
  return line;
}

// cron ends the line at a percent sign unless a backslash precedes it, and some crons read two backslashes as one: quotes
// separate these characters.
function word(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  const apart = text.replaceAll("'", `'\\''`).replace(/\\(?=\\)/g, `\\''`).replaceAll("%", "'%'");
  return `'${apart}'`;
}

function tooLong(): RekeyError {
  return usageError(
    `Cannot schedule it: cron takes commands of ${LONGEST} characters`,
    "Put long commands into a script and name the script",
  );
}

// Variables that lead to the same installation and KEK.
const NAMES = [
  "REKEY_APP",
  "REKEY_DATA_DIR",
  "REKEY_STORE",
  "REKEY_MIRROR",
  "REKEY_KEYRING_TIMEOUT",
  "REKEY_AUDIT_TO",
  ...KEK_VARIABLES,
  ...ETCD_VARIABLES,
  "XDG_DATA_HOME",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
];

const PATHS = [
  "REKEY_DATA_DIR",
  "REKEY_KEK_FILE",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_PASSWORD_FILE",
];

/** Environment variables equivalent to the flags and variables of this command. */
export function variablesFor(
  { app, dataDir, store, mirror, kekFile, auditTo }: GlobalOptions,
  variable: (name: string) => string | undefined,
): Record<string, string> {
  const flags: Record<string, string | undefined> = {
    REKEY_APP: app,
    REKEY_DATA_DIR: dataDir,
    REKEY_STORE: store,
    REKEY_MIRROR: mirror,
    REKEY_KEK_FILE: kekFile,
    REKEY_AUDIT_TO: auditTo?.map((text) => sinkName(text, "--audit-to")).join(),
  };
  // A scheduler sets HOME to the user's home folder.
  const home = variable("HOME");
  const moved = home !== undefined && home !== userInfo().homedir ? { HOME: home } : {};
  const found = NAMES.flatMap((name) => {
    const value = flags[name] ?? variable(name);
    if (value === undefined) return [];
    return [[name, PATHS.includes(name) ? resolve(value) : value]];
  });
  return { ...Object.fromEntries(found), ...moved };
}
