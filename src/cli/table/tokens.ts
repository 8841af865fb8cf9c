import type { Command } from "commander";
import { type Commands, run } from "./runner.ts";
import { choice, CHOICES, duration, lasting, nonEmpty, several } from "./values.ts";

/** `issue` and `verify`. */
export const tokenCommands: Commands = {
  issue: (program, runner) => {
    program.command("issue")
      .description("sign a token and print it")
      .requiredOption("--sub <subject>", "whom the token is for", nonEmpty)
      .addOption(lasting("--ttl <duration>", "how long it is valid", "1h"))
      .option("--iss <issuer>", "issuer claim")
      .addOption(several("--aud <audience>", "audience claim"))
      .addOption(several("--scope <scope>", "scope claim"))
      .action(run(runner, async () => (await import("../commands/issue.ts")).issue));
  },
  verify: (program, runner) => {
    program.command("verify")
      .description("verify a token; exit 3 when it is not valid")
      .argument(
        "[token]",
        "the token; - or nothing reads it from stdin, where no process list shows it",
      )
      .addOption(several("--iss <issuer>", "the issuer that it must have, or one of several"))
      .addOption(several("--aud <audience>", "an audience that it must have, or one of several"))
      .option("--sub <subject>", "the subject that it must have")
      .addOption(
        choice("--alg <name>", "the algorithm that it must have (default: the app's)", CHOICES.alg),
      )
      .option("--typ <type>", "the typ that it must have")
      .option(
        "--leeway <duration>",
        "tolerance for clocks that differ (default: the policy's)",
        duration,
      )
      .option("--max-age <duration>", "longest time since it was issued", duration)
      .option("--allow-no-exp", "accept a token that never expires")
      .option("--no-policy", "leave out the app's own policy (`rekey policy show`)")
      .action((token: string | undefined, options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          const { verify } = await import("../commands/verify.ts");
          await verify({ ...options, token }, context);
        })
      );
  },
};
