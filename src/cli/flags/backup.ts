import type { Command } from "commander";
import type { Commands } from "./command.ts";
import { nonEmpty, several } from "./values.ts";

/** `backup` and `restore`. */
export const backupCommands: Commands = {
  backup: (program, runner) => {
    program.command("backup")
      .description(
        "write a consistent copy of the database to a new file; servers may keep running",
      )
      .argument("<path>", "the new file; - is stdout")
      .option("--with-secret", "add the secret, sealed for a passphrase or for age recipients")
      .addOption(several("--recipient <key>", "age recipient, age1…"))
      .addOption(several("--recipients-file <path>", "file of age recipients, one per line"))
      .option("--passphrase-file <path>", "file of the passphrase (default: ask)", nonEmpty)
      .addHelpText(
        "after",
        `
  Examples:
    rekey backup /mnt/backup/rekey.db     the copy alone
    rekey backup rekey.db --with-secret   asks for a passphrase
    rekey backup rekey.db --with-secret --recipients-file admins.txt`,
      )
      .action((path: string, options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          await (await import("../commands/backup.ts")).backup({ ...options, path }, context);
        })
      );
  },
  restore: (program, runner) => {
    program.command("restore")
      .description("restore a backup: verified first, then applied completely or not at all")
      .argument("<path>", "the backup; - is stdin")
      .option("--force", "replace an existing secret")
      .addOption(several("--identity-file <path>", "age identities that open its secret"))
      .option("--passphrase-file <path>", "file of the passphrase that opens its secret", nonEmpty)
      .option("--new-secret", "continue without a lost secret or KEK: all sessions end")
      .action((path: string, options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          await (await import("../commands/backup.ts")).restore({ ...options, path }, context);
        })
      );
  },
};
