import type { Commands, TableCommand } from "./command.ts";
import { claimOptions } from "./tokens.ts";
import { count, nonEmpty } from "./values.ts";

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
    .runs(async () => (await import("../commands/user_claims.ts")).userClaims);
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
