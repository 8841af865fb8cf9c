import { Option } from "commander";
import { NOTICE_FORMATS } from "../notices/chat_formats.ts";
import type { Commands, TableCommand } from "./command.ts";
import { moment } from "./times.ts";
import { atMost, CHOICES, duration, nonEmpty } from "./values.ts";
import { LOCK_TIMEOUT_MS, LONGEST_REQUEST_ID } from "../../core/limits.ts";

// Flags of --prepare only, flags that a rotation in two phases cannot have, flags that --standby cannot have, hooks, flags
// of --activate only, and flags of all that change something.
const OF_PREPARING = ["reason", "alg", "keyForm", "bytes", "as", "bits"];
const OF_ONE_PHASE = ["at", "ifOlderThan", "requestId", "dryRun"];
const OF_BY_HAND = ["at", "requestId", "tellFailure"];
const HOOKS = ["before", "after"];
const NOTICES = [...HOOKS, "notifyUrl", "notifyUrlFile", "notifyFormat", "notifyKeyFile"];
const OF_A_CHANGE = ["grace", "wait", "backup", "forceDeliveries", "lockTimeout"];

/** `rotate`, under both of its names, and `revoke`. */
export const rotationCommands: Commands = {
  rotate: (program) => {
    addRotate(program.command("rotate"));
  },
  security: (program) => {
    const security = program.command("security").description(
      "commands under the application's own names",
    );
    addRotate(security.command("rotate-jwt-secret"));
  },
  revoke: (program) => {
    program.command("revoke")
      .description("end all grace windows: tokens of older secrets no longer verify")
      .waiting()
      .runs(async () => (await import("../commands/secret.ts")).revoke);
  },
};

/** The flags of `rotate`, under both of its names. */
export function addRotate(command: TableCommand): void {
  command
    .description("replace the secret; every session ends at once unless --grace is given")
    .reason()
    .option("--force", "do not ask; required without a terminal, but for --prepare and --activate")
    .duration("--grace <duration>", "how long tokens of the old secret still verify", "0s");
  addNewKey(command);
  command
    .option("--if-older-than <duration>", "do nothing when the secret is younger", duration)
    .waiting();
  addPhases(command);
  addOccasion(command);
  addNotices(command);
  addExceptions(command);
  command
    .addHelpText("after", EXAMPLES)
    .withoutGlobal("store", ["activate", "tellFailure"])
    .runs(async () => (await import("../commands/rotate.ts")).rotate);
}

/** What the new secret is. */
function addNewKey(command: TableCommand): void {
  command
    .choice(
      "--alg <name>",
      "algorithm of the new secret's tokens (default: as before)",
      CHOICES.alg,
    )
    .choice(
      "--key-form <form>",
      "key form of the new secret (default: as before)",
      CHOICES.keyForm,
    )
    .shape({ bytes: "as before", encoding: "as before", bits: "as before" });
}

/** A rotation in two phases. */
function addPhases(command: TableCommand): void {
  command
    .addOption(
      new Option(
        "--prepare",
        "make the next version, for verifiers to get before it signs",
      )
        .conflicts(["activate", "grace", "backup", ...NOTICES, ...OF_ONE_PHASE]),
    )
    .addOption(
      new Option(
        "--activate",
        "make the prepared version the current one, once verifiers have it; --force does not wait for them",
      ).conflicts([...OF_PREPARING, ...OF_ONE_PHASE]),
    )
    .addOption(
      new Option(
        "--standby <duration>",
        "with --if-older-than: prepare or activate, whichever is due; so long apart",
      ).argParser(duration).conflicts(["prepare", "activate", ...OF_BY_HAND]),
    );
}

/** For which request, and when. */
function addOccasion(command: TableCommand): void {
  command
    .option(
      "--request-id <id>",
      "repeating an id returns the rotation it already made",
      (id: string) => atMost(LONGEST_REQUEST_ID)(nonEmpty(id)),
    )
    .option(
      "--at <when>",
      "announce it now, wait, and rotate then: 30m (from now), 03:00 (the next, local time), or 2026-11-23T03:00:00Z",
      moment,
    );
}

/** Who is told, and what runs before and after. */
function addNotices(command: TableCommand): void {
  command
    .repeatable("--before <command>", "shell command to run first; its failure stops the rotation")
    .repeatable("--after <command>", "shell command to run after the rotation")
    .repeatable("--notify-url <url>", "send notices there: signed JSON, or to a chat")
    .repeatable("--notify-url-file <path>", "file of such addresses, one per line")
    .choice(
      "--notify-format <name>",
      "format of the notices (default: by the host, else rekey)",
      NOTICE_FORMATS,
    )
    .option("--notify-key-file <path>", "file of the key that signs the notices", nonEmpty);
}

/** What is done otherwise than usual. */
function addExceptions(command: TableCommand): void {
  command
    .option(
      "--force-deliveries",
      "rotate although a program has not taken up the new key, or does not know its algorithm",
    )
    .option("--no-backup", "do not copy the version records before the rotation")
    .addOption(
      new Option(
        "--tell-failure",
        "rotate nothing: report a failed scheduled rotation (OnFailure= of systemd)",
      ).conflicts([
        ...[...OF_ONE_PHASE, ...OF_A_CHANGE, ...HOOKS, "prepare", "activate"],
        ...OF_PREPARING.filter((name) => name !== "reason"),
      ]),
    )
    .option("--dry-run", "show what would happen, change nothing")
    .duration(
      "--lock-timeout <duration>",
      "how long to wait for another rotation",
      `${LOCK_TIMEOUT_MS / 1000}s`,
    );
}

const EXAMPLES = `
Examples:
  rekey rotate                                      asks first
  rekey rotate --force --if-older-than 90d          in a timer
  rekey rotate --force --reason security-incident   in an emergency
  rekey rotate --force --store database             with a locked keyring
  rekey rotate --prepare --alg ES256                verifiers get the key first
  rekey rotate --activate --grace 24h               ten minutes later, or more
  rekey rotate --activate --wait 5s                 on many machines
  rekey rotate --if-older-than 30d --standby 2d     both, in a timer`;
