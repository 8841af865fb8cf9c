import type { Command } from "commander";
import type { Commands } from "./command.ts";
import { nonEmpty, several } from "./values.ts";

/** `backup` and `restore`. */
export const backupCommands: Commands = {
  backup: (program, runner) => {
    program.command("backup")
      .description("write a consistent copy of the database to a new file, while others go on")
      .argument("<path>", "the new file; - is stdout")
      .option("--with-secret", "add the secret, sealed for a passphrase or for age recipients")
      .addOption(several("--recipient <key>", "age recipient, age1…"))
      .addOption(several("--recipients-file <path>", "file of age recipients, one a line"))
      .option("--passphrase-file <path>", "file of the passphrase (default: asks for it)", nonEmpty)
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
      .description("bring a backup back: verified first, then all of it or nothing")
      .argument("<path>", "the backup; - is stdin")
      .option("--force", "replace the secret that is there")
      .addOption(several("--identity-file <path>", "age identities that open the secret in it"))
      .option("--passphrase-file <path>", "file of the passphrase that opens it", nonEmpty)
      .option("--new-secret", "go on without a secret or KEK that is lost: all sessions end")
      .action((path: string, options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          await (await import("../commands/backup.ts")).restore({ ...options, path }, context);
        })
      );
  },
};
