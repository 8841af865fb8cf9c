import { Accounts } from "../../users/accounts.ts";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, usageError } from "../../core/errors.ts";
import { numbered } from "../../core/words.ts";
import type { Context } from "../context.ts";
import { NEVER } from "../../store/sqlite/ended_sessions.ts";
import { printable, toTheMinute } from "../format.ts";
import { askHidden, readStdinBytes, requireConfirmation, typedText } from "../terminal.ts";

// More than the longest password; the length check refuses the rest.
const LONGEST_INPUT = 65_536;

/** The argument of commands about one user. */
interface NamedUser {
  readonly name: string;
}

/** Adds a user. */
export async function userAdd({ name }: NamedUser, { secrets, output }: Context): Promise<void> {
  const user = await new Accounts(secrets).add(name, newPassword());
  output.result({ user }, [`Added ${printable(user)}`]);
}

/** Flags of `rekey user list`. */
export interface UserListFlags {
  readonly limit: number;
  readonly after?: string;
}

/** Shows the users, never their hashes. */
export async function userList(options: UserListFlags, { secrets, output }: Context) {
  const { limit, after } = options;
  // One extra row shows whether there are more.
  const found = await new Accounts(secrets).list(limit + 1, after);
  const users = found.slice(0, limit);
  const described = users.map(({ name, created_at, changed_at }) => ({
    user: name,
    created_at: rfc3339(created_at),
    changed_at: rfc3339(changed_at),
  }));
  const rows = described.map((
    { user, created_at, changed_at },
  ) => [printable(user), created_at, changed_at]);
  output.list(described, [["USER", "ADDED", "PASSWORD SET"], ...rows], () => [
    ["ADDED (UTC)", "PASSWORD SET", "USER"],
    ...rows.map(([user, added, set]) => [toTheMinute(added!), toTheMinute(set!), user!]),
  ]);
  if (found.length > limit) {
    output.remark(`there are more: --after ${printable(users.at(-1)!.name)}`);
  }
}

/** Sets a new password; the user's sessions end. */
export async function userPasswd(
  { name }: NamedUser,
  { secrets, output }: Context,
): Promise<void> {
  const user = await new Accounts(secrets).setPassword(name, newPassword());
  output.result({ user }, [`Set a new password for ${printable(user)}; open sessions ended`]);
}

/** Flags of `rekey user remove`. */
export interface UserRemoveFlags extends NamedUser {
  readonly force?: boolean;
}

/** Removes a user; their sessions end. */
export async function userRemove(options: UserRemoveFlags, context: Context): Promise<void> {
  const { name, force = false } = options;
  requireConfirmation(force, `Remove ${printable(name)} and end their sessions?`, context.confirm);
  const user = await new Accounts(context.secrets).remove(name);
  context.output.result({ user }, [`Removed ${printable(user)}; open sessions ended`]);
}

// Asks twice on a terminal; otherwise reads stdin. Arguments would be visible in process lists.
function newPassword(): string {
  if (!Deno.stdin.isTerminal()) {
    return typedText(readStdinBytes(LONGEST_INPUT), "the password").replace(/\r?\n$/, "");
  }
  const password = askHidden("New password");
  if (askHidden("The same again") === password) return password;
  throw usageError("Cannot use the password: the two entries differ", "Try again");
}

/** Flags of `rekey session list`. */
export interface SessionListFlags {
  readonly limit: number;
  readonly user?: readonly string[];
}

/** Shows the open sessions, newest first. */
export async function sessionList(options: SessionListFlags, context: Context): Promise<void> {
  const { secrets } = context;
  await secrets.open();
  // Sessions known here are shown even if the fleet's state is not known.
  const unknown = await secrets.openFresh().then(() => undefined, asRefusal);
  await showSessions(options, context);
  if (unknown !== undefined) throw unknown;
}

async function showSessions(options: SessionListFlags, { secrets, output }: Context) {
  const { limit, user } = options;
  // One extra shows whether there are more.
  const found = await new Accounts(secrets).sessions(limit + 1, user);
  const sessions = found.slice(0, limit);
  const described = sessions.map(({ jti, sub, version, issued_at, expires_at }) => ({
    jti,
    sub,
    version,
    issued_at: rfc3339(issued_at),
    expires_at: expires_at === NEVER ? null : rfc3339(expires_at),
  }));
  const rows = described.map(({ jti, sub, issued_at, expires_at }) => [
    jti,
    issued_at,
    expires_at ?? "never",
    printable(sub),
  ]);
  output.list(described, [["SESSION", "ISSUED", "EXPIRES", "USER"], ...rows], () => [
    ["SESSION", "EXPIRES (UTC)", "USER"],
    ...rows.map((
      [jti, , expires, user],
    ) => [jti!, expires === "never" ? expires : toTheMinute(expires!), user!]),
  ]);
  if (found.length > limit) {
    output.remark("there are more, which are older: --limit shows more, --user those of one user");
  }
}

/** Flags of `rekey session revoke`. */
export interface SessionRevokeFlags {
  readonly jti: string | undefined;
  readonly user?: readonly string[];
}

/** Ends one session, or all of one or several users'. */
export async function sessionRevoke(options: SessionRevokeFlags, { secrets, output }: Context) {
  const { jti, user } = options;
  if ((jti === undefined) === (user === undefined)) {
    throw usageError("Cannot tell which sessions to end", "Name a session, or a user with --user");
  }
  if (user !== undefined) {
    const users = [...new Set(user)];
    const ended = await new Accounts(secrets).endSessionsOf(users);
    output.result({ ...users.length === 1 && { user: users[0] }, users, ended }, [
      `Ended ${numbered(ended, "session")} of ${users.map(printable).join(", ")}`,
    ]);
  } else {
    await new Accounts(secrets).endSession(jti!);
    output.result({ jti, ended: 1 }, ["Ended the session"]);
  }
}
