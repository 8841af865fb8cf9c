import { usageError } from "../../core/errors.ts";
import type { JsonObject } from "../../jwt/jws.ts";
import { type LoginClaims, loginClaimsOf, setLoginClaims } from "../../users/login_claims.ts";
import type { Context } from "../context.ts";
import type { ClaimFlags } from "../flags/tokens.ts";
import { printable, table } from "../format.ts";
import { claimsOf } from "./claims.ts";

/** Flags of `rekey user claims`. */
export interface UserClaimsFlags extends ClaimFlags {
  readonly name: string;
  readonly clear?: boolean;
}

/** Shows or sets what the tokens of a user's logins say besides. */
export async function userClaims(options: UserClaimsFlags, context: Context): Promise<void> {
  const { secrets, output } = context;
  const { name, clear = false } = options;
  const wanted = claimsOf(options);
  const isSet = Object.values(wanted).some((value) => value !== undefined);
  if (clear && isSet) {
    throw usageError("Cannot tell what is meant", "Give --clear or claims, not both");
  }
  if (isSet || clear) await setLoginClaims(secrets, name, wanted);
  const claims = asInToken(await loginClaimsOf(secrets, name));
  output.result({ user: name, claims }, described(claims));
  if (isSet || clear) {
    output.remark("for logins from now on; `rekey session revoke --user NAME` ends those before");
  }
}

function asInToken({ audience, scope, claims }: LoginClaims): JsonObject {
  const aud = audience !== undefined && audience.length === 1 ? audience[0] : audience;
  const own = Object.entries({ aud, scope }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(own), ...claims };
}

function described(claims: JsonObject): string[] {
  const rows = Object.entries(claims).map(([name, value]) =>
    [name, typeof value === "string" ? value : JSON.stringify(value)].map(printable)
  );
  return rows.length === 0 ? ["none besides those of every token"] : table(rows);
}
