import { InvalidArgumentError } from "commander";
import { type Head, readHead } from "../../audit/events.ts";
import type { Commands } from "./command.ts";
import { instant } from "./times.ts";
import { count, duration, nonEmpty } from "./values.ts";

/** `stats` and `audit`. */
export const auditCommands: Commands = {
  stats: (program) => {
    program.command("stats")
      .description(
        "show success rate, retrieval times, fallback rate and rotations",
      )
      .runs(async () => (await import("../commands/stats.ts")).stats);
  },
  audit: (program) => {
    const audit = program.command("audit").description("the log of what happened to the secret");
    audit.command("list", { isDefault: true })
      .description("show the newest audit rows")
      .option("--limit <count>", "how many", count, 50)
      .option("--before <seq>", "only rows before this number: the page before", count)
      .repeatable("--event <text>", "only events that contain this text")
      .repeatable("--of <version>", "only rows of this version of the secret", count)
      .repeatable("--actor <name>", "only rows of this actor: USER@HOST, or a detail")
      .option(
        "--since <when>",
        "only rows from this time on: 24h (ago), or 2026-11-23T03:00:00Z",
        instant,
      )
      .option("--until <when>", "only rows before this time", instant)
      .runs(async () => (await import("../commands/audit.ts")).auditList);
    audit.command("export")
      .description("print all audit rows as JSON, one object per line")
      .runs(async () => (await import("../commands/audit.ts")).auditExport);
    audit.command("merge")
      .description("merge exports of machines that share a secret")
      .argument("<files...>", "outputs of `audit export`, one file per machine")
      .runs(async () => (await import("../commands/audit.ts")).auditMerge);
    audit.command("verify")
      .description(
        "verify the hash chain; exit 5 and show the first bad row if it is broken",
      )
      .option(
        "--expect-head <head>",
        "a head printed earlier, SEQ:HASH, that the log must contain",
        head,
      )
      .runs(async () => (await import("../commands/audit.ts")).auditVerify);
    audit.command("follow")
      .description("print audit rows as they are written, until it is stopped")
      .option("--after <seq>", "begin after this row (default: with the next one)", rowNumber)
      .runs(async () => (await import("../commands/audit_follow.ts")).auditFollow);
    audit.command("sinks")
      .description("show where --audit-to sends the log, and how far each sink is")
      .repeatable("--remove <sink>", "send there no longer")
      .runs(async () => (await import("../commands/audit_sinks.ts")).auditSinks);
    audit.command("key")
      .description("print the public key that signs checkpoints of this log")
      .runs(async () => (await import("../commands/audit_checkpoints.ts")).auditKey);
    audit.command("checkpoint")
      .description("sign the log as it is now, and print the checkpoint; rotations do it too")
      .option("--all", "print all checkpoints that were made")
      .runs(async () => (await import("../commands/audit_checkpoints.ts")).auditCheckpoint);
    audit.command("verify-export")
      .description(
        "check an export against checkpoints, without database or KEK; exit 5 and show the first bad row",
      )
      .argument("<file>", "output of `audit export`; - is stdin")
      .option("--key <key>", "what `audit key` printed, or @FILE", nonEmpty)
      .repeatable("--checkpoint <path>", "file of one or more checkpoints")
      .option(
        "--expect-head <head>",
        "a head printed earlier, SEQ:HASH, that it must contain",
        head,
      )
      .runs(async () => (await import("../commands/audit_checkpoints.ts")).auditVerifyExport);
    audit.command("prune")
      .description(
        "remove old rows; the log verifies as before (default: as the policy's retention says)",
      )
      .option("--older-than <duration>", "rows older than this, such as 400d", duration)
      .option(
        "--retrievals-older-than <duration>",
        "retrievals older than this, such as 30d; changes stay",
        duration,
      )
      .option("--dry-run", "only say how many rows would go")
      .option("--force", "do not ask; required when stdin is not a terminal")
      .runs(async () => (await import("../commands/audit_prune.ts")).auditPrune);
  },
};

/** A head of the audit log. */
function head(text: string): Head {
  const read = readHead(text);
  if (read !== null) return read;
  throw new InvalidArgumentError("Write it as `audit verify` printed it, SEQ:HASH.");
}

/** The number of an audit row; 0 is before the first one. */
function rowNumber(text: string): number {
  return text === "0" ? 0 : count(text);
}
