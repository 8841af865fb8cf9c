import type { Command } from "commander";
import { type Commands, type NamedRun, run, type Runner } from "./command.ts";
import { choice, CHOICES, count, duration, lasting, nonEmpty, several } from "./values.ts";

/** `issue` and `verify`. */
export const tokenCommands: Commands = {
  issue: (program, runner) => {
    program.command("issue")
      .description("sign and print a token")
      .requiredOption("--sub <subject>", "subject of the token", nonEmpty)
      .addOption(lasting("--ttl <duration>", "how long it is valid", "1h"))
      .option("--iss <issuer>", "issuer claim")
      .addOption(several("--aud <audience>", "audience claim"))
      .addOption(several("--scope <scope>", "scope claim"))
      .action(run(runner, async () => (await import("../commands/tokens.ts")).issue));
  },
  verify: (program, runner) => {
    program.command("verify")
      .description("verify a token; exit 3 if it is not valid")
      .argument(
        "[token]",
        "the token; by default or with - from stdin, hidden from process lists",
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
      .option("--no-policy", "ignore the app's policy (`rekey policy show`)")
      .action((token: string | undefined, options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => {
          const { verify } = await import("../commands/tokens.ts");
          await verify({ ...options, token }, context);
        })
      );
  },
};

/** `user` and `session`. */
export const userCommands: Commands = { user: addUser, session: addSession };

function addUser(program: Command, runner: Runner): void {
  const user = program.command("user").description("users who can log in");
  const named = (name: string, description: string, load: () => Promise<NamedRun>) =>
    user.command(name).description(description).argument("<name>", "the user's name")
      .action((who: string, _options, command: Command) =>
        runner(command.optsWithGlobals(), async (context) => await (await load())(who, context))
      );
  named(
    "add",
    "add a user; asks for the password, or reads it from stdin",
    async () => (await import("../commands/users.ts")).userAdd,
  );
  user.command("list").description("show the users, by name")
    .option("--limit <count>", "how many", count, 1000)
    .option("--after <name>", "only users after this one: the next page", nonEmpty)
    .action(run(runner, async () => (await import("../commands/users.ts")).userList));
  named(
    "passwd",
    "set a new password; the user's sessions end",
    async () => (await import("../commands/users.ts")).userPasswd,
  );
  user.command("remove").description("remove a user; their sessions end")
    .argument("<name>", "the user's name")
    .option("--force", "do not ask")
    .action((name: string, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("../commands/users.ts")).userRemove({ ...options, name }, context);
      })
    );
}

function addSession(program: Command, runner: Runner): void {
  const session = program.command("session").description("issued tokens that are still valid");
  session.command("list").description("show the newest open sessions")
    .option("--limit <count>", "how many", count, 50)
    .addOption(several("--user <name>", "only this user's"))
    .action(run(runner, async () => (await import("../commands/users.ts")).sessionList));
  session.command("revoke").description("end a session, or all of a user's")
    .argument("[jti]", "the session")
    .addOption(several("--user <name>", "all of this user's"))
    .action((jti: string | undefined, options, command: Command) =>
      runner(command.optsWithGlobals(), async (context) => {
        await (await import("../commands/users.ts")).sessionRevoke({ ...options, jti }, context);
      })
    );
}
