import { Argument, InvalidArgumentError } from "commander";
import { MOST_JWKS_SECONDS, MOST_LEEWAY_SECONDS, POLICY_PARTS } from "../../jwt/policy.ts";
import { LEAST_RETENTION_SECONDS, RETENTION_PARTS } from "../../store/sqlite/retention.ts";
import type { Commands, TableCommand } from "./command.ts";
import { atMost, duration, nonEmpty } from "./values.ts";

const LONGEST_TEXT = 1_024;
const MOST_NAMES = 16;

/** `policy`: requirements for all tokens of the app, besides a valid signature. */
export const policyCommands: Commands = {
  policy: (program) => {
    const policy = program.command("policy")
      .description("requirements for all tokens, besides a valid signature");
    policy.command("show")
      .description("show the policy")
      .runs(async () => (await import("../commands/policy.ts")).policyShow);
    const set = policy.command("set")
      .description("set parts of the policy; running servers apply it at once")
      .runs(async () => (await import("../commands/policy.ts")).policySet);
    addPolicyOptions(set);
    set
      .option(
        "--audit-retention <duration>",
        "how long audit rows are kept here, or off",
        retention,
      )
      .option(
        "--retrievals-retention <duration>",
        "how long audit rows of retrievals are kept here, or off",
        retention,
      );
    policy.command("clear")
      .description("clear parts of the policy; all parts when none is named")
      .addArgument(
        new Argument("[part...]", "which parts").choices([...POLICY_PARTS, ...RETENTION_PARTS]),
      )
      .runs(async () => (await import("../commands/policy.ts")).policyClear);
  },
};

/** Adds the options of a policy. */
export function addPolicyOptions(command: TableCommand): void {
  command
    .option("--leeway <duration>", "tolerance for clocks that differ (policy)", leeway)
    .option("--allow-no-exp", "accept tokens that never expire (policy)")
    .repeatable("--iss <issuer>", "the issuer they must have, or one of several (policy)", name)
    .repeatable("--aud <audience>", "an audience they must have, or one of several (policy)", name)
    .option("--typ <type>", "the typ they must have, such as at+jwt (policy)", text)
    .option("--jwks-max-age <duration>", "how long verifiers may keep public keys (policy)", kept);
}

function leeway(value: string): number {
  const seconds = duration(value);
  if (seconds <= MOST_LEEWAY_SECONDS) return seconds;
  throw new InvalidArgumentError("It is at most 24h.");
}

function kept(value: string): number {
  const seconds = duration(value);
  if (seconds <= MOST_JWKS_SECONDS) return seconds;
  throw new InvalidArgumentError("It is at most 24h.");
}

/** Seconds, or `off`: forever. */
function retention(value: string): number | "off" {
  if (value === "off") return value;
  const seconds = duration(value);
  if (seconds >= LEAST_RETENTION_SECONDS) return seconds;
  throw new InvalidArgumentError("It is at least 1d, or off.");
}

function name(value: string, before: readonly unknown[]): string {
  if (before.length < MOST_NAMES) return text(value);
  throw new InvalidArgumentError(`Name at most ${MOST_NAMES}.`);
}

function text(value: string): string {
  return atMost(LONGEST_TEXT)(nonEmpty(value));
}
