import { InvalidArgumentError } from "commander";
import type { Commands, TableCommand } from "./command.ts";
import { nonEmpty } from "./values.ts";

/** `deliver`: programs that get keys whenever they change. */
export const deliverCommands: Commands = {
  deliver: (program) => {
    const deliver = program.command("deliver")
      .description("programs that get the keys whenever they change");
    addAdd(deliver);
    deliver.command("list")
      .description("show what is delivered, and how far each program has followed")
      .runs(async () => (await import("../commands/deliver_view.ts")).deliverList);
    deliver.command("show")
      .description("show one delivery")
      .argument("<name>", "the delivery")
      .runs(async () => (await import("../commands/deliver_view.ts")).deliverShow);
    deliver.command("sync")
      .description("bring programs up to date; exit 5 if one does not follow")
      .argument("[name...]", "which deliveries; all when none is named")
      .option("--force", "replace files that rekey did not write")
      .option("--watch", "go on, and follow each change, until it is stopped")
      .runs(async () => (await import("../commands/deliver.ts")).deliverSync);
    deliver.command("check")
      .description("ask each program whether it accepts the keys; changes nothing")
      .argument("[name...]", "which deliveries; all when none is named")
      .runs(async () => (await import("../commands/deliver.ts")).deliverCheck);
    deliver.command("remove")
      .description("end a delivery, and delete the files that rekey wrote for it")
      .argument("<name>", "the delivery")
      .option("--keep-files", "leave the files, with the keys in them")
      .runs(async () => (await import("../commands/deliver.ts")).deliverRemove);
    deliver.command("presets")
      .description("show formats and presets, or one in full")
      .argument("[name]", "the preset")
      .option("--print <name>", "print a file that the program's configuration needs", nonEmpty)
      .runs(async () => (await import("../commands/deliver_presets.ts")).deliverPresets);
  },
};

function addAdd(deliver: TableCommand): void {
  deliver.command("add")
    .description("deliver keys to a program, now and after each change")
    .argument("<name>", "a name for it")
    .option("--preset <name>", "the program: `rekey deliver presets` lists them", nonEmpty)
    .choice("--format <name>", "a format, for any program", ["text", "env", "json", "jwks", "pem"])
    .option("--template <path>", "a mustache template of your own")
    .option("--preset-file <path>", "a preset of your own, in JSON")
    .option("--path <path>", "file or folder to write (default: in memory-backed storage)")
    .option("--owner <user>", "owner of the files", nonEmpty)
    .option("--group <group>", "group of the files", nonEmpty)
    .option("--mode <mode>", "mode of the files; other users have no rights", mode)
    .choice("--role <name>", "whether the program checks tokens or signs them", [
      "verifier",
      "signer",
    ])
    .option(
      "--reload <command>",
      "shell command that makes the program read the file (default: the preset's)",
      nonEmpty,
    )
    .option("--probe-url <url>", "URL that answers 2xx to a valid bearer token, else 401", url)
    .option(
      "--probe-command <command>",
      "shell command that reads a token; exit 0 if it is valid, 1 if not",
      nonEmpty,
    )
    .repeatable("--set <assignment>", "a parameter of the preset, as name=value", assignment)
    .option("--force", "replace what is at the path")
    .addHelpText(
      "after",
      `
Examples:
  rekey deliver add api --format jwks --path /run/api/keys.json --group api \\
    --mode 0640 --reload 'systemctl reload api' \\
    --probe-url http://127.0.0.1:8080/me
  rekey deliver add proxy --preset haproxy`,
    )
    .runs(async () => (await import("../commands/deliver.ts")).deliverAdd);
}

function mode(text: string): string {
  if (/^0?[0-7][0-7]0$/.test(text)) return text.padStart(4, "0");
  throw new InvalidArgumentError("Write it as 0600 or 0640: other users have no rights.");
}

function url(text: string): string {
  if (/^https?:\/\/[^\s@]+$/.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError("Write http://127.0.0.1:8080/path, without a password.");
}

function assignment(text: string): readonly [string, string] {
  const [, name, value] = /^([a-z][a-z0-9_]*)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined) return [name, value!];
  throw new InvalidArgumentError("Write name=value.");
}
