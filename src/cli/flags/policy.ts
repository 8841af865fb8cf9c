import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { MOST_LEEWAY_SECONDS, POLICY_PARTS } from "../../store/token_policy.ts";
import { type Commands, RepeatableOption, run } from "./command.ts";
import { atMost, duration, nonEmpty } from "./values.ts";

const LONGEST_TEXT = 1_024;
const MOST_NAMES = 16;

/** `policy`: requirements for all tokens of the app, besides a valid signature. */
export const policyCommands: Commands = {
  policy: (program, runner) => {
    const policy = program.command("policy")
      .description("requirements for all tokens, besides a valid signature");
    policy.command("show")
      .description("show the policy")
      .action(run(runner, async () => (await import("../commands/policy.ts")).policyShow));
    const set = policy.command("set")
      .description("set parts of the policy; running servers apply it at once")
      .action(run(runner, async () => (await import("../commands/policy.ts")).policySet));
    policyOptions().forEach((option) => set.addOption(option));
    policy.command("clear")
      .description("clear parts of the policy; all parts when none is named")
      .addArgument(new Argument("[part...]", "which parts").choices(POLICY_PARTS))
      .action((parts: string[], _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          const { policyClear } = await import("../commands/policy.ts");
          await policyClear(parts as Parameters<typeof policyClear>[0], context);
        })
      );
  },
};

/** The options of a policy. */
export function policyOptions(): Option[] {
  return [
    new Option("--leeway <duration>", "tolerance for clocks that differ (policy)")
      .argParser(leeway),
    new Option("--allow-no-exp", "accept tokens that never expire (policy)"),
    new RepeatableOption(
      "--iss <issuer>",
      "the issuer they must have, or one of several (policy)",
      name,
    ),
    new RepeatableOption(
      "--aud <audience>",
      "an audience they must have, or one of several (policy)",
      name,
    ),
    new Option("--typ <type>", "the typ they must have, such as at+jwt (policy)").argParser(text),
  ];
}

function leeway(value: string): number {
  const seconds = duration(value);
  if (seconds <= MOST_LEEWAY_SECONDS) return seconds;
  throw new InvalidArgumentError("It is at most 24h.");
}

function name(value: string, before: readonly string[]): string {
  if (before.length < MOST_NAMES) return text(value);
  throw new InvalidArgumentError(`Name at most ${MOST_NAMES}.`);
}

function text(value: string): string {
  return atMost(LONGEST_TEXT)(nonEmpty(value));
}
