import { usageError } from "../../core/errors.ts";
import { readInput } from "../../files/input_files.ts";
import type { JsonObject } from "../../jwt/jws.ts";
import { parseClaims } from "../../jwt/own_claims.ts";
import { type LoginClaims, loginClaimsOf, setLoginClaims } from "../../users/login_claims.ts";
import type { Context } from "../context.ts";
import type { ClaimFlags } from "../flags/tokens.ts";
import { printable, table } from "../format.ts";

/**
 * The claims that flags ask for. A `--claim` wins over one of the file.
 *
 * @throws {RekeyError} `usage` when the file is not a JSON object or cannot be read.
 */
export function claimsOf({ aud, scope, claim, claimsFile }: ClaimFlags): LoginClaims {
  const fromFile = claimsFile === undefined ? {} : readClaims(claimsFile);
  const claims = { ...fromFile, ...Object.fromEntries(claim ?? []) };
  if (scope !== undefined && Object.hasOwn(claims, "scope")) {
    throw usageError("Cannot tell which scope is meant", "Give --scope or a claim scope, not both");
  }
  return {
    audience: aud,
    scope: scope?.join(" "),
    claims: Object.keys(claims).length === 0 ? undefined : claims,
  };
}

function readClaims(path: string): JsonObject {
  const shown = path === "-" ? "stdin" : path;
  const bytes = readInput(path);
  if (bytes === undefined) {
    throw usageError(`Cannot read ${shown}: it does not exist`, "Name another file");
  }
  return parseClaims(bytes, shown);
}

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
