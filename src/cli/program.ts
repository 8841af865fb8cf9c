import { Command } from "commander";
import { auditCommands } from "./table/audit.ts";
import { completionCommands } from "./table/completion.ts";
import type { Commands, Runner } from "./table/runner.ts";
import { execCommands } from "./table/exec.ts";
import { scheduleCommands } from "./table/schedule.ts";
import { secretCommands } from "./table/secret.ts";
import { serveCommands } from "./table/serve.ts";
import { tokenCommands } from "./table/tokens.ts";
import { userCommands } from "./table/users.ts";
import { versionCommands } from "./table/version.ts";
import { choice, CHOICES } from "./table/values.ts";

const EXIT_CODES = `
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  token not valid
  4  secret store unavailable
  5  a check says no
  6  busy: another process holds the lock
\`rekey exec\` ends as its program does; 126 and 127: it cannot be started, there is none`;

/** The command table. */
const COMMANDS: Commands = {
  ...secretCommands,
  ...tokenCommands,
  ...userCommands,
  ...serveCommands,
  ...execCommands,
  ...scheduleCommands,
  ...auditCommands,
  ...versionCommands,
  ...completionCommands,
};

/**
 * The program that understands a command line. A line that begins with a command's name needs no other command's
 * flags, and every start would pay for them.
 */
export function makeProgram(
  version: string,
  runner: Runner,
  args: readonly string[] = [],
): Command {
  const program = new Command("rekey")
    .description(
      "Owns this machine's JWT signing secret: makes it, keeps it, rotates it, verifies with it.",
    )
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true })
    .option("--app <name>", "whose secret it is (REKEY_APP; default agiworkforce)")
    .option("--data-dir <path>", "folder of the database (REKEY_DATA_DIR)")
    .addOption(
      choice("--store <where>", "where a new secret is to live (REKEY_STORE)", CHOICES.store),
    )
    .addOption(
      choice(
        "--mirror <when>",
        "also seal a keyring's secret in the database (REKEY_MIRROR)",
        CHOICES.mirror,
      ),
    )
    .option("--kek-file <path>", "key-encryption key of the database (REKEY_KEK_FILE)")
    .option("--json", "print one JSON object a line")
    .option("-q, --quiet", "print only results and errors")
    .option("--no-color", "never use colour (NO_COLOR)")
    .addHelpText("after", EXIT_CODES);
  const first = args[0] ?? "";
  const needed = Object.hasOwn(COMMANDS, first) ? [COMMANDS[first]!] : Object.values(COMMANDS);
  for (const add of needed) add(program, runner);
  return program;
}
