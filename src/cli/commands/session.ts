import { rfc3339 } from "../../core/clock.ts";
import type { Context } from "../context.ts";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { printable, toTheMinute } from "../describe.ts";

/** Flags of `rekey issue`. */
export interface IssueFlags {
  readonly sub: string;
  /** Seconds. */
  readonly ttl: number;
  readonly iss?: string;
  readonly aud?: readonly string[];
  readonly scope?: readonly string[];
}

/** Signs a token. */
export async function issue(options: IssueFlags, { auth, output }: Context): Promise<void> {
  const { sub, ttl, iss, aud, scope } = options;
  const request = {
    subject: sub,
    lifetime: ttl,
    issuer: iss,
    audience: aud,
    scope: scope?.join(" "),
  };
  const { token, jti, expiresAt } = await auth.issue(request);
  output.result({ token, jti, expires_at: rfc3339(expiresAt) }, [token]);
  output.remark(`valid until ${rfc3339(expiresAt)}`);
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
  // What is known here is shown all the same.
  const unknown = await secrets.ensureFresh().then(() => undefined, asRefusal);
  await showSessions(options, context);
  if (unknown !== undefined) throw unknown;
}

async function showSessions(options: SessionListFlags, { accounts, output }: Context) {
  const sessions = await accounts.sessions(options.limit, options.user);
  const described = sessions.map(({ jti, sub, version, issued_at, expires_at }) => ({
    jti,
    sub,
    version,
    issued_at: rfc3339(issued_at),
    expires_at: rfc3339(expires_at),
  }));
  if (output.options.json) {
    for (const session of described) output.line(session);
    return;
  }
  const rows = described.map(({ jti, sub, issued_at, expires_at }) => [
    jti,
    issued_at,
    expires_at,
    printable(sub),
  ]);
  output.table([["SESSION", "ISSUED", "EXPIRES", "USER"], ...rows], () => [
    ["SESSION", "EXPIRES (UTC)", "USER"],
    ...rows.map(([jti, , expires, user]) => [jti!, toTheMinute(expires!), user!]),
  ]);
}

/** Flags of `rekey session revoke`. */
export interface SessionRevokeFlags {
  readonly jti: string | undefined;
  readonly user?: readonly string[];
}

/** Ends one session, or all of one or several users'. */
export async function sessionRevoke(options: SessionRevokeFlags, { accounts, output }: Context) {
  const { jti, user } = options;
  if ((jti === undefined) === (user === undefined)) {
    throw new RekeyError("usage", "Cannot tell which sessions to end", {
      hint: "Name a session, or a user with --user",
    });
  }
  if (user !== undefined) {
    const users = [...new Set(user)];
    const ended = await accounts.endSessionsOf(users);
    output.result({ ...users.length === 1 && { user: users[0] }, users, ended }, [
      `Ended ${ended} session${ended === 1 ? "" : "s"} of ${users.map(printable).join(", ")}`,
    ]);
  } else {
    await accounts.endSession(jti!);
    output.result({ jti, ended: 1 }, ["Ended the session"]);
  }
}
