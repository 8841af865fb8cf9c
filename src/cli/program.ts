import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { type Head, readHead } from "../audit/head.ts";
import { parseDuration } from "../core/duration.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Context, GlobalOptions } from "./context.ts";

/** A command's implementation, loaded when it is called: no command pays for another. */
type Run<O> = (options: O, context: Context) => Promise<void>;

/** One whose only argument is a name. */
type NamedRun = (name: string, context: Context) => Promise<void>;

/** Makes the context of a call from its global flags, runs the command, and clears up. */
export type Runner = (
  globals: GlobalOptions,
  call: (context: Context) => Promise<void>,
) => Promise<void>;

const CHOICES = {
  store: ["auto", "keyring", "database"],
  mirror: ["auto", "on", "off"],
  alg: ["HS256", "HS384", "HS512"],
  keyForm: ["text", "raw"],
  encoding: ["text", "base64", "base64url", "hex"],
};

const EXIT_CODES = `
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  token not valid
  4  secret store unavailable
  5  a check says no
  6  busy: another process holds the lock`;

/** The command table. */
export function makeProgram(version: string, runner: Runner): Command {
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
  addSecretCommands(program, runner);
  addTokenCommands(program, runner);
  addUserCommands(program, runner);
  addSessionCommands(program, runner);
  addServe(program.command("serve"), runner);
  addAuditCommands(program, runner);
  return program;
}

function addSecretCommands(program: Command, runner: Runner): void {
  program.command("init")
    .description(
      "make the secret, or adopt the one that an older installation left; safe to repeat",
    )
    .addOption(
      choice("--alg <name>", "algorithm of the app's tokens (default: HS512)", CHOICES.alg),
    )
    .addOption(
      choice(
        "--key-form <form>",
        "HMAC key: the base64 text (default), or the bytes it decodes to",
        CHOICES.keyForm,
      ),
    )
    .action(run(runner, async () => (await import("./commands/init.ts")).init));
  program.command("import")
    .description(
      "make a hard-coded secret version 1, so that its tokens stay valid; stdin by default",
    )
    .option("--from-env <name>", "environment variable that holds it", nonEmpty)
    .option("--file <path>", "file that holds it", nonEmpty)
    .addOption(
      choice(
        "--encoding <name>",
        "what the application does with it: uses it as text (default), or decodes it first",
        CHOICES.encoding,
      ),
    )
    .addOption(
      choice("--alg <name>", "algorithm of the app's tokens (default: HS512)", CHOICES.alg),
    )
    .option("--allow-weak", "import it although it is short or easy to guess")
    .option("--then-rotate", "replace it at once; with --grace its tokens stay valid for a while")
    .addOption(
      lasting("--grace <duration>", "with --then-rotate: how long its tokens still verify", "0s"),
    )
    .option("--reason <text>", "why, for the audit log")
    .addHelpText(
      "after",
      `
Example:
  rekey import --from-env JWT_SECRET --alg HS256 --then-rotate --grace 24h`,
    )
    .action(run(runner, async () => (await import("./commands/import.ts")).importSecret));
  program.command("status")
    .description("show the secret's version, location and age, never its value")
    .option("--check", "exit 5 when a rotation is due")
    .addOption(lasting("--max-age <duration>", "age at which a rotation is due", "90d"))
    .action(run(runner, async () => (await import("./commands/status.ts")).status));
  addRotate(program.command("rotate"), runner);
  const security = program.command("security").description(
    "commands under the application's own names",
  );
  addRotate(security.command("rotate-jwt-secret"), runner);
  program.command("revoke")
    .description("end every grace window now: tokens of older secrets no longer verify")
    .action(run(runner, async () => (await import("./commands/revoke.ts")).revoke));
  addBackupCommands(program, runner);
  const store = program.command("store").description("where the secret lives");
  store.command("show")
    .description("show where it lives and whether the keyring answers")
    .action(run(runner, async () => (await import("./commands/store.ts")).storeShow));
  store.command("move")
    .description("move it between keyring and database; its tokens stay valid")
    .addArgument(new Argument("<where>", "keyring or database").choices(["keyring", "database"]))
    .action((to: "keyring" | "database", _options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("./commands/store.ts")).storeMove(to, context);
      })
    );
  const kek = program.command("kek").description("the key-encryption key of the database");
  kek.command("rotate")
    .description("seal everything under a new KEK; the old one opens nothing any more")
    .option(
      "--to-kek-file <path>",
      "file of the new KEK (default: rekey generates a key file)",
      nonEmpty,
    )
    .action(run(runner, async () => (await import("./commands/kek_rotate.ts")).kekRotate));
  program.command("destroy")
    .description(
      "delete the secret, its history and its keys from this machine; there is no way back",
    )
    .option("--force", "do not ask")
    .action(run(runner, async () => (await import("./commands/destroy.ts")).destroy));
}

function addBackupCommands(program: Command, runner: Runner): void {
  program.command("backup")
    .description("write a consistent copy of the database to a new file, while others go on")
    .argument("<path>", "the new file")
    .option("--with-secret", "add the secret, sealed for a passphrase or for age recipients")
    .option("--recipient <key>", "age recipient, age1…; may be repeated", repeated)
    .option("--recipients-file <path>", "file of age recipients, one a line", nonEmpty)
    .option("--passphrase-file <path>", "file of the passphrase (default: asks for it)", nonEmpty)
    .addHelpText(
      "after",
      `
Examples:
  rekey backup /mnt/backup/rekey.db                                  the copy alone
  rekey backup rekey.db --with-secret                                asks for a passphrase
  rekey backup rekey.db --with-secret --recipients-file admins.txt   in a timer`,
    )
    .action((path: string, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("./commands/backup.ts")).backup({ ...options, path }, context);
      })
    );
  program.command("restore")
    .description("bring a backup back: verified first, then all of it or nothing")
    .argument("<path>", "the backup")
    .option("--force", "replace the secret that is there")
    .option("--identity-file <path>", "age identities that open the secret in it", nonEmpty)
    .option("--passphrase-file <path>", "file of the passphrase that opens it", nonEmpty)
    .option("--new-secret", "make a new secret when the backup's cannot be had: all sessions end")
    .action((path: string, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("./commands/backup.ts")).restore({ ...options, path }, context);
      })
    );
}

function addRotate(command: Command, runner: Runner): void {
  command
    .description("replace the secret; every session ends at once unless --grace is given")
    .option("--reason <text>", "why, for the audit log")
    .option("--force", "do not ask; needed when stdin is no terminal")
    .addOption(
      lasting("--grace <duration>", "let tokens of the old secret verify for this long", "0s"),
    )
    .option("--if-older-than <duration>", "do nothing when the secret is younger", duration)
    .option(
      "--request-id <id>",
      "the same id again answers with the rotation it already made",
      nonEmpty,
    )
    .option("--no-backup", "keep no copy of what is known of the versions beforehand")
    .option("--dry-run", "say what would happen and change nothing")
    .addOption(lasting("--lock-timeout <duration>", "how long to wait for another rotation", "10s"))
    .addHelpText(
      "after",
      `
Examples:
  rekey rotate                                          asks first
  rekey rotate --force --if-older-than 90d              in a timer
  rekey rotate --force --reason security-incident       in an emergency
  rekey rotate --force --store database                 when the keyring stays locked`,
    )
    .action(run(runner, async () => (await import("./commands/rotate.ts")).rotate));
}

function addTokenCommands(program: Command, runner: Runner): void {
  program.command("issue")
    .description("sign a token and print it")
    .requiredOption("--sub <subject>", "whom the token is for", nonEmpty)
    .addOption(lasting("--ttl <duration>", "how long it is valid", "1h"))
    .option("--iss <issuer>", "issuer claim")
    .option("--aud <audience>", "audience claim")
    .option("--scope <scope>", "scope claim")
    .action(run(runner, async () => (await import("./commands/issue.ts")).issue));
  program.command("verify")
    .description("verify a token; exit 3 when it is not valid")
    .argument(
      "[token]",
      "the token; - or nothing reads it from stdin, where no process list shows it",
    )
    .option("--iss <issuer>", "the issuer that it must have")
    .option("--aud <audience>", "an audience that it must have")
    .option("--sub <subject>", "the subject that it must have")
    .addOption(
      choice("--alg <name>", "the algorithm that it must have (default: the app's)", CHOICES.alg),
    )
    .addOption(lasting("--leeway <duration>", "tolerance for clocks that differ", "0s"))
    .option("--max-age <duration>", "longest time since it was issued", duration)
    .option("--allow-no-exp", "accept a token that never expires")
    .action((token: string | undefined, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        const { verify } = await import("./commands/verify.ts");
        await verify({ ...options, token }, context);
      })
    );
}

function addUserCommands(program: Command, runner: Runner): void {
  const user = program.command("user").description("who can log in");
  const named = (name: string, description: string, load: () => Promise<NamedRun>) =>
    user.command(name).description(description).argument("<name>", "the user's name")
      .action((who: string, _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => await (await load())(who, context))
      );
  named(
    "add",
    "add a user; the password is asked for, or read from stdin",
    async () => (await import("./commands/user.ts")).userAdd,
  );
  user.command("list").description("show the users")
    .action(run(runner, async () => (await import("./commands/user.ts")).userList));
  named(
    "passwd",
    "set a new password; the user's sessions end",
    async () => (await import("./commands/user.ts")).userPasswd,
  );
  user.command("remove").description("remove a user; their sessions end")
    .argument("<name>", "the user's name")
    .option("--force", "do not ask")
    .action((name: string, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("./commands/user.ts")).userRemove({ ...options, name }, context);
      })
    );
}

function addSessionCommands(program: Command, runner: Runner): void {
  const session = program.command("session").description("tokens that were issued and are open");
  session.command("list").description("show the newest open sessions")
    .option("--limit <count>", "how many", count, 50)
    .option("--user <name>", "only this user's", nonEmpty)
    .action(run(runner, async () => (await import("./commands/session.ts")).sessionList));
  session.command("revoke").description("end a session, or all of a user's")
    .argument("[jti]", "the session")
    .option("--user <name>", "all of this user's", nonEmpty)
    .action((jti: string | undefined, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("./commands/session.ts")).sessionRevoke({ ...options, jti }, context);
      })
    );
}

function addServe(command: Command, runner: Runner): void {
  command
    .description("serve verification, logins and a status page over HTTP, to this machine only")
    .addOption(
      new Option("--listen <address>", "where to listen").default("127.0.0.1:8700"),
    )
    .option("--unix <path>", "listen on a Unix socket (mode 0600) instead", nonEmpty)
    .option("--workers <count>", "threads that answer requests (default: one a core)", count)
    .option("--host <name>", "another name that it is reached by; may be repeated", repeated)
    .option("--trust-forwarded", "take the client's address from the proxy's X-Forwarded-For")
    .option("--allow-remote", "listen where other machines can reach it; needs TLS")
    .option("--tls-cert <path>", "certificate chain (PEM)", nonEmpty)
    .option("--tls-key <path>", "its private key (PEM)", nonEmpty)
    .addOption(lasting("--ttl <duration>", "how long the token of a login is valid", "1h"))
    .addOption(lasting("--max-age <duration>", "age at which a rotation is due", "90d"))
    .option("--no-access-log", "print no line for each request")
    .addHelpText(
      "after",
      `
Examples:
  rekey serve                                    then see http://127.0.0.1:8700/
  rekey serve --unix /run/rekey/rekey.sock
  rekey serve --listen 0.0.0.0:8700 --allow-remote --tls-cert cert.pem --tls-key key.pem`,
    )
    .action(run(runner, async () => (await import("./commands/serve.ts")).runServer));
}

function addAuditCommands(program: Command, runner: Runner): void {
  program.command("stats")
    .description(
      "success rate, retrieval times, fallback rate and rotations, from what is recorded",
    )
    .action(run(runner, async () => (await import("./commands/stats.ts")).stats));
  const audit = program.command("audit").description("what happened to the secret");
  audit.command("list", { isDefault: true })
    .description("show the newest audit rows")
    .option("--limit <count>", "how many", count, 50)
    .option("--before <seq>", "only rows before this number: the page before", count)
    .option("--event <text>", "only events whose text has this in it", nonEmpty)
    .option("--of <version>", "only rows of this version of the secret", count)
    .option("--actor <name>", "only what this actor did, as USER@HOST", nonEmpty)
    .option(
      "--since <when>",
      "only rows from this time on: 24h (ago), or 2026-11-23T03:00:00Z",
      instant,
    )
    .option("--until <when>", "only rows before this time", instant)
    .action(run(runner, async () => (await import("./commands/audit_list.ts")).auditList));
  audit.command("export")
    .description("print every audit row as one JSON object a line")
    .action(run(runner, async () => (await import("./commands/audit_list.ts")).auditExport));
  audit.command("verify")
    .description(
      "recompute the chain of hashes; exit 5 and name the first bad row when it is broken",
    )
    .option(
      "--expect-head <head>",
      "a head printed before, SEQ:HASH, that the log must still hold",
      head,
    )
    .action(run(runner, async () => (await import("./commands/audit_verify.ts")).auditVerify));
}

function run<O>(runner: Runner, load: () => Promise<Run<O>>) {
  return (options: O, command: Command) =>
    runner(command.optsWithGlobals(), async (context) => await (await load())(options, context));
}

function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices);
}

function lasting(flags: string, description: string, standard: string): Option {
  return new Option(flags, description).argParser(duration).default(
    parseDuration(standard),
    standard,
  );
}

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(isRekeyError(error) ? error.hint ?? "" : String(error));
  }
}

function head(text: string): Head {
  const read = readHead(text);
  if (read !== null) return read;
  throw new InvalidArgumentError("Write it as `audit verify` printed it, SEQ:HASH.");
}

// Milliseconds since the epoch: a duration counts back from now.
function instant(text: string): number {
  if (/^\d+[smhd]/.test(text)) return Date.now() - duration(text) * 1000;
  const parsed = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (!Number.isNaN(parsed)) return parsed;
  throw new InvalidArgumentError("Write 24h, 2026-11-23 or 2026-11-23T03:00:00Z.");
}

function repeated(text: string, before: string[] = []): string[] {
  return [...before, nonEmpty(text)];
}

function nonEmpty(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Say something.");
}

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Write a whole number from 1 on.");
}
