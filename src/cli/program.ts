import type { Command } from "commander";
import { EXIT_STATUSES } from "../core/errors.ts";
import { auditCommands } from "./flags/audit.ts";
import { type Commands, type Runner, TableCommand } from "./flags/command.ts";
import { completionCommands, helpCommands, TOPICS, versionCommands } from "./flags/help.ts";
import { deliverCommands } from "./flags/deliver.ts";
import { execCommands } from "./flags/exec.ts";
import { policyCommands } from "./flags/policy.ts";
import { scheduleCommands } from "./flags/schedule.ts";
import { secretCommands } from "./flags/secret.ts";
import { serveCommands } from "./flags/serve.ts";
import { tokenCommands } from "./flags/tokens.ts";
import { userCommands } from "./flags/users.ts";
import { CHOICES } from "./flags/values.ts";

const AFTER_HELP = `
Exit codes:
${Object.entries(EXIT_STATUSES).map(([status, text]) => `  ${status.padEnd(4)} ${text}`).join("\n")}
\`rekey exec\` ends as its program does.

A flag wins over its variable, which stands in brackets.

\`rekey help TOPIC\`, a page about:
${TOPICS.join(", ")}.`;

/** The command table. */
const COMMANDS: Commands = {
  ...secretCommands,
  ...tokenCommands,
  ...policyCommands,
  ...userCommands,
  ...serveCommands,
  ...execCommands,
  ...deliverCommands,
  ...scheduleCommands,
  ...auditCommands,
  ...versionCommands,
  ...completionCommands,
  ...helpCommands,
};

// These need the definitions of all commands.
const ABOUT_ALL = ["help", "complete"];

/**
 * The parser of the command line. For a line that starts with a command's name only that command is defined, which makes
 * the start faster.
 */
export function makeProgram(
  version: string,
  runner: Runner,
  args: readonly string[] = [],
): Command {
  const program = new TableCommand("rekey", runner)
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
    .option("--no-color", "never use colour (NO_COLOR)")
    .addHelpText("after", AFTER_HELP);
  const first = args[0] ?? "";
  const isOne = Object.hasOwn(COMMANDS, first) && !ABOUT_ALL.includes(first);
  const needed = isOne ? [COMMANDS[first]!] : Object.values(COMMANDS);
  for (const add of needed) add(program);
  return program;
}
