import type { Location } from "../../core/location.ts";
import { Argument, type Command } from "commander";
import { type Commands, run } from "./command.ts";
import { choice, CHOICES, lasting, nonEmpty, reason, waiting } from "./values.ts";
import { backupCommands } from "./backup.ts";
import { policyOptions } from "./policy.ts";
import { addRotate } from "./rotate.ts";

/** Commands that make, show, move and delete the secret. */
export const secretCommands: Commands = {
  init: (program, runner) => {
    const init = program.command("init")
      .description(
        "make the secret, or adopt an existing one; safe to repeat",
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
      .action(run(runner, async () => (await import("../commands/secret.ts")).init));
    policyOptions().forEach((option) => init.addOption(option));
  },
  import: (program, runner) => {
    const importing = program.command("import")
      .description(
        "import a hard-coded secret as version 1; its tokens stay valid (default: stdin)",
      )
      .option("--from-env <name>", "environment variable that holds it", nonEmpty)
      .option("--file <path>", "file that holds it", nonEmpty)
      .option("--name <name>", "variable of a .env file, or key of a JSON file", nonEmpty)
      .addOption(
        choice(
          "--encoding <name>",
          "how the application decodes it (default: text)",
          CHOICES.encoding,
        ),
      )
      .option(
        "--check-token <token>",
        "a token of the application, @FILE or -; it must verify, and shows the encoding",
        nonEmpty,
      )
      .option(
        "--literal",
        "take the input as the secret even if it looks like JSON, a token or quoted text",
      )
      .addOption(
        choice("--alg <name>", "algorithm of the app's tokens (default: HS512)", CHOICES.alg),
      )
      .option("--allow-weak", "import it even if it is short or easy to guess")
      .option("--then-rotate", "rotate it at once; with --grace its tokens stay valid for a while")
      .addOption(
        lasting("--grace <duration>", "with --then-rotate: how long its tokens still verify", "0s"),
      )
      .addOption(reason())
      .addHelpText(
        "after",
        `
  Examples:
    rekey import --from-env JWT_SECRET --alg HS256 --then-rotate --grace 24h
    rekey import --file .env --name JWT_SECRET --check-token @token.txt`,
      )
      .action(run(runner, async () => (await import("../commands/import.ts")).importSecret));
    policyOptions().forEach((option) => importing.addOption(option));
  },
  apps: (program, runner) => {
    program.command("apps")
      .description("list the known apps and where their secrets are")
      .action(run(runner, async () => (await import("../commands/store.ts")).apps));
  },
  status: (program, runner) => {
    program.command("status")
      .description("show the secret's version, location and age, never its value")
      .option("--check", "one line for a monitor; exit 5 when a rotation is due")
      .addOption(lasting("--max-age <duration>", "age at which a rotation is due", "90d"))
      .action(run(runner, async () => (await import("../commands/status.ts")).status));
  },
  rotate: (program, runner) => {
    addRotate(program.command("rotate"), runner);
  },
  security: (program, runner) => {
    const security = program.command("security").description(
      "commands under the application's own names",
    );
    addRotate(security.command("rotate-jwt-secret"), runner);
  },
  revoke: (program, runner) => {
    program.command("revoke")
      .description("end all grace windows: tokens of older secrets no longer verify")
      .addOption(waiting())
      .action(run(runner, async () => (await import("../commands/secret.ts")).revoke));
  },
  ...backupCommands,
  store: (program, runner) => {
    const store = program.command("store").description("where the secret is stored");
    store.command("show")
      .description("show where it is stored and whether the keyring answers")
      .action(run(runner, async () => (await import("../commands/store.ts")).storeShow));
    store.command("move")
      .description(
        "move it between keyring, database and etcd (for fleets); its tokens stay valid",
      )
      .addArgument(new Argument("<where>", "keyring, database or etcd").choices(CHOICES.location))
      .action((to: Location, _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          await (await import("../commands/store.ts")).storeMove(to, context);
        })
      );
  },
  kek: (program, runner) => {
    const kek = program.command("kek").description("the key-encryption key of the database");
    kek.command("rotate")
      .description("reseal everything under a new KEK; the old one no longer opens anything")
      .option(
        "--to-kek-file <path>",
        "file of the new KEK (default: rekey generates a key file)",
        nonEmpty,
      )
      .action(run(runner, async () => (await import("../commands/store.ts")).kekRotate));
  },
  doctor: (program, runner) => {
    program.command("doctor")
      .description(
        "find problems and show the commands that fix them; exit 5 if there are any",
      )
      .option("--fix", "fix what is safe to fix: file modes and unfinished work")
      .addOption(lasting("--max-age <duration>", "age at which a rotation is due", "90d"))
      .action(run(runner, async () => (await import("../commands/doctor.ts")).doctor));
  },
  destroy: (program, runner) => {
    program.command("destroy")
      .description(
        "delete the secret, its history and its keys from this machine; cannot be undone",
      )
      .option("--force", "do not ask")
      .action(run(runner, async () => (await import("../commands/secret.ts")).destroy));
  },
};
