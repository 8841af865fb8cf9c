import { Option } from "commander";
import { claimOptions } from "./claims.ts";
import type { Commands, TableCommand } from "./command.ts";
import { CHOICES, count, duration, nonEmpty } from "./values.ts";

/** `issue` and `verify`. */
export const tokenCommands: Commands = {
  issue: (program) => {
    const issue = program.command("issue")
      .description("sign and print a token")
      .requiredOption("--sub <subject>", "subject of the token", nonEmpty)
      .duration("--ttl <duration>", "how long it is valid", "1h")
      .addOption(
        new Option(
          "--no-exp",
          "without an expiry, for programs that need that: only a rotation ends it",
        )
          .conflicts("ttl"),
      )
      .option("--iss <issuer>", "issuer claim")
      .addHelpText(
        "after",
        `
  Example:
    rekey issue --sub alice --aud rmq --claim 'tags:=["a","b"]'`,
      )
      .runs(async () => (await import("../commands/tokens.ts")).issue);
    claimOptions(issue);
  },
  verify: (program) => {
    program.command("verify")
      .description("verify a token; exit 3 if it is not valid")
      .argument(
        "[token]",
        "the token; by default or with - from stdin, hidden from process lists",
      )
      .repeatable("--iss <issuer>", "the issuer that it must have, or one of several")
      .repeatable("--aud <audience>", "an audience that it must have, or one of several")
      .option("--sub <subject>", "the subject that it must have")
      .choice("--alg <name>", "the algorithm that it must have (default: the app's)", CHOICES.alg)
      .option("--typ <type>", "the typ that it must have")
      .option(
        "--leeway <duration>",
        "tolerance for clocks that differ (default: the policy's)",
        duration,
      )
      .option("--max-age <duration>", "longest time since it was issued", duration)
      .option("--allow-no-exp", "accept a token that never expires")
      .option("--no-policy", "ignore the app's policy (`rekey policy show`)")
      .runs(async () => (await import("../commands/tokens.ts")).verify);
  },
};

/** `user` and `session`. */
export const userCommands: Commands = { user: addUser, session: addSession };

function addUser(program: TableCommand): void {
  const user = program.command("user").description("users who can log in");
  user.command("add").description("add a user; asks for the password, or reads it from stdin")
    .argument("<name>", "the user's name")
    .runs(async () => (await import("../commands/users.ts")).userAdd);
  user.command("list").description("show the users, by name")
    .option("--limit <count>", "how many", count, 1000)
    .option("--after <name>", "only users after this one: the next page", nonEmpty)
    .runs(async () => (await import("../commands/users.ts")).userList);
  user.command("passwd").description("set a new password; the user's sessions end")
    .argument("<name>", "the user's name")
    .runs(async () => (await import("../commands/users.ts")).userPasswd);
  const claims = user.command("claims")
    .description("show or set what the tokens of a user's logins say besides")
    .argument("<name>", "the user's name")
    .option("--clear", "take all of them away")
    .addHelpText(
      "after",
      `
  What is set takes the place of what was set before.

  Example:
    rekey user claims alice --aud rmq --claim role=editor`,
    )
    .runs(async () => (await import("../commands/claims.ts")).userClaims);
  claimOptions(claims);
  user.command("remove").description("remove a user; their sessions end")
    .argument("<name>", "the user's name")
    .option("--force", "do not ask")
    .runs(async () => (await import("../commands/users.ts")).userRemove);
}

function addSession(program: TableCommand): void {
  const session = program.command("session").description("issued tokens that are still valid");
  session.command("list").description("show the newest open sessions")
    .option("--limit <count>", "how many", count, 50)
    .repeatable("--user <name>", "only this user's")
    .runs(async () => (await import("../commands/users.ts")).sessionList);
  session.command("revoke").description("end a session, or all of a user's")
    .argument("[jti]", "the session")
    .repeatable("--user <name>", "all of this user's")
    .runs(async () => (await import("../commands/users.ts")).sessionRevoke);
}
