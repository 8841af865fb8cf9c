import { type Command, Option } from "commander";
import { run, type Runner } from "./command.ts";
import {
  atMost,
  choice,
  CHOICES,
  duration,
  lasting,
  moment,
  nonEmpty,
  reason,
  several,
  waiting,
} from "./values.ts";
import { LOCK_TIMEOUT_MS, LONGEST_REQUEST_ID } from "../../core/limits.ts";

// What is said when a version is prepared, what a rotation in two phases cannot have, and what is nothing to tell
// others of before the second one.
const OF_PREPARING = ["reason", "alg", "keyForm"];
const OF_ONE_PHASE = ["at", "store", "ifOlderThan", "requestId", "dryRun"];
const NOTICES = ["before", "after", "notifyUrl", "notifyUrlFile", "notifyFormat", "notifyKeyFile"];

/** The flags of `rotate`, under both of its names. */
export function addRotate(command: Command, runner: Runner): void {
  command
    .description("replace the secret; every session ends at once unless --grace is given")
    .addOption(reason())
    .option("--force", "do not ask; needed when stdin is no terminal")
    .addOption(
      lasting("--grace <duration>", "let tokens of the old secret verify for this long", "0s"),
    )
    .addOption(
      choice(
        "--alg <name>",
        "algorithm of the new secret's tokens (default: as before)",
        CHOICES.alg,
      ),
    )
    .addOption(
      choice(
        "--key-form <form>",
        "key form of the new secret (default: as before)",
        CHOICES.keyForm,
      ),
    )
    .option("--if-older-than <duration>", "do nothing when the secret is younger", duration)
    .addOption(waiting())
    .addOption(
      new Option(
        "--prepare",
        "with the secret in etcd: publish the next version, for servers to fetch",
      )
        .conflicts(["activate", "grace", "backup", ...NOTICES, ...OF_ONE_PHASE]),
    )
    .addOption(
      new Option(
        "--activate",
        "make the prepared version the current one, once every server has it; --force does not ask them",
      ).conflicts([...OF_PREPARING, ...OF_ONE_PHASE]),
    )
    .option(
      "--request-id <id>",
      "the same id again answers with the rotation it already made",
      (id: string) => atMost(LONGEST_REQUEST_ID)(nonEmpty(id)),
    )
    .option(
      "--at <when>",
      "announce it now, wait, and rotate then: 30m (from now), 03:00 (the next, local time), or 2026-11-23T03:00:00Z",
      moment,
    )
    .addOption(
      several("--before <command>", "shell command to run first; its failure stops the rotation"),
    )
    .addOption(several("--after <command>", "shell command to run when the secret was rotated"))
    .addOption(several("--notify-url <url>", "post to it what happens: signed JSON, or a chat"))
    .addOption(several("--notify-url-file <path>", "file of such addresses, one a line"))
    .addOption(
      choice(
        "--notify-format <name>",
        "what the addresses take (default: by their host, else rekey)",
        CHOICES.notifyFormat,
      ),
    )
    .option("--notify-key-file <path>", "file of the key that signs it", nonEmpty)
    .option("--no-backup", "keep no copy of what is known of the versions beforehand")
    .addOption(
      new Option(
        "--tell-failure",
        "rotate nothing: tell of a scheduled rotation that failed (OnFailure= of systemd)",
      ).conflicts(["at", "ifOlderThan", "dryRun", "prepare", "activate", "before", "after"]),
    )
    .option("--dry-run", "say what would happen and change nothing")
    .addOption(
      lasting(
        "--lock-timeout <duration>",
        "how long to wait for another rotation",
        `${LOCK_TIMEOUT_MS / 1000}s`,
      ),
    )
    .addHelpText(
      "after",
      `
Examples:
  rekey rotate                                      asks first
  rekey rotate --force --if-older-than 90d          in a timer
  rekey rotate --force --reason security-incident   in an emergency
  rekey rotate --force --store database             with a locked keyring
  For machines that share the secret:
  rekey rotate --prepare && rekey rotate --activate --wait 5s`,
    )
    .action(run(runner, async () => (await import("../commands/rotate.ts")).rotate));
}
