import type { Command, Option } from "commander";
import { type Commands, type Runner, TableCommand, takesValue } from "./flags/command.ts";
import { CHOICES } from "./flags/values.ts";

type Load = () => Promise<Commands>;

const secret: Load = async () => (await import("./flags/secret.ts")).secretCommands;
const state: Load = async () => (await import("./flags/state.ts")).stateCommands;
const rotation: Load = async () => (await import("./flags/rotate.ts")).rotationCommands;
const tokens: Load = async () => (await import("./flags/tokens.ts")).tokenCommands;
const policy: Load = async () => (await import("./flags/policy.ts")).policyCommands;
const users: Load = async () => (await import("./flags/users.ts")).userCommands;
const serve: Load = async () => (await import("./flags/serve.ts")).serveCommands;
const exec: Load = async () => (await import("./flags/exec.ts")).execCommands;
const deliver: Load = async () => (await import("./flags/deliver.ts")).deliverCommands;
const schedule: Load = async () => (await import("./flags/schedule.ts")).scheduleCommands;
const audit: Load = async () => (await import("./flags/audit.ts")).auditCommands;
const help: Load = async () => (await import("./flags/help.ts")).helpCommands;

/** The command table: where each command is defined, in the order of the help. */
const COMMANDS: Readonly<Record<string, Load>> = {
  init: secret,
  import: secret,
  apps: state,
  status: state,
  rotate: rotation,
  security: rotation,
  revoke: rotation,
  backup: secret,
  restore: secret,
  store: secret,
  kek: secret,
  doctor: state,
  destroy: secret,
  issue: tokens,
  verify: tokens,
  jwks: tokens,
  policy,
  user: users,
  session: users,
  "keyring-helper": serve,
  serve,
  exec,
  deliver,
  schedule,
  stats: audit,
  audit,
  version: help,
  completions: help,
  complete: help,
  help,
};

// These need the definitions of all commands.
const ABOUT_ALL = ["help", "complete"];

// These need none.
const ABOUT_NONE = ["-V", "--version"];

/** The words of a command line that are rekey's: those after -- belong to another program. */
export function ownWords(args: readonly string[]): readonly string[] {
  return args.slice(0, args.includes("--") ? args.indexOf("--") : undefined);
}

/**
 * The parser of the command line. For a line with a command's name only that command is loaded and defined, which
 * makes the start faster.
 */
export async function makeProgram(
  version: string,
  runner: Runner,
  args: readonly string[] = [],
): Promise<Command> {
  const program = withFlagsOfAll(new TableCommand("rekey", runner), version);
  const first = firstWord(args, program.options);
  if (ABOUT_NONE.includes(first)) return program;
  if (Object.hasOwn(COMMANDS, first) && !ABOUT_ALL.includes(first)) {
    await define(program, first);
    return program;
  }
  for (const name of Object.keys(COMMANDS)) await define(program, name);
  return program.addHelpText("after", (await import("./flags/help.ts")).AFTER_HELP);
}

/** The flags that all commands have. */
function withFlagsOfAll(program: TableCommand, version: string): TableCommand {
  return program
    .description(
      "Owns this machine's JWT signing secret: makes it, keeps it, rotates it, verifies with it.",
    )
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .option("--app <name>", "whose secret it is (REKEY_APP; default agiworkforce)")
    .option("--data-dir <path>", "folder of the database (REKEY_DATA_DIR)")
    .choice("--store <where>", "where a new secret is to live (REKEY_STORE)", CHOICES.store)
    .choice(
      "--mirror <when>",
      "also seal a keyring's secret in the database (REKEY_MIRROR)",
      CHOICES.mirror,
    )
    .option("--kek-file <path>", "key-encryption key of the database (REKEY_KEK_FILE)")
    .repeatable(
      "--audit-to <sink>",
      "also send the audit log there: journal, syslog, a file, fd:N (REKEY_AUDIT_TO)",
    )
    .option("--json", "print one JSON object a line")
    .option("-q, --quiet", "print only results and errors")
    .option("--no-color", "never use colour (NO_COLOR)");
}

/** The first word of a line that is no option of all commands, nor the value of one. */
function firstWord(args: readonly string[], options: readonly Option[]): string {
  for (let at = 0; at < args.length; at++) {
    const [flag] = args[at]!.split("=", 1);
    const option = options.find(({ long, short }) => flag === long || flag === short);
    if (option === undefined || ABOUT_NONE.includes(flag!)) return args[at]!;
    if (takesValue(option) && flag === args[at]) at++;
  }
  return "";
}

async function define(program: TableCommand, name: string): Promise<void> {
  const commands = await COMMANDS[name]!();
  commands[name]!(program);
}
