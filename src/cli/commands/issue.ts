import { rfc3339 } from "../../core/clock.ts";
import type { Context } from "../context.ts";

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
