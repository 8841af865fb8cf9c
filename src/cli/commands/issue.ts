import { rfc3339 } from "../../core/clock.ts";
import type { Context } from "../context.ts";
import type { ClaimFlags } from "../flags/tokens.ts";
import { claimsOf } from "./claims.ts";

/** Flags of `rekey issue`. */
export interface IssueFlags extends ClaimFlags {
  readonly sub: string;
  /** Seconds. */
  readonly ttl: number;
  readonly iss?: string;
  /** False with `--no-exp`. */
  readonly exp?: boolean;
}

/** Signs a token. */
export async function issue(options: IssueFlags, { auth, output }: Context): Promise<void> {
  const { sub, ttl, iss, exp = true } = options;
  const lifetime = exp ? ttl : null;
  const request = { subject: sub, lifetime, issuer: iss, ...claimsOf(options) };
  const { token, jti, expiresAt } = await auth.issue(request);
  output.result({ token, jti, expires_at: expiresAt && rfc3339(expiresAt) }, [token]);
  if (expiresAt === null) output.warning(NO_EXPIRY);
  else output.remark(`valid until ${rfc3339(expiresAt)}`);
}

const NO_EXPIRY =
  "the token never expires: it verifies until the next rotation, or `rekey session revoke`, ends it; " +
  "rekey itself accepts it with --allow-no-exp only, given to `verify` or to `policy set`";
