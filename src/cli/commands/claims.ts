import { usageError } from "../../core/errors.ts";
import { readInput } from "../../files/input_files.ts";
import type { JsonObject } from "../../jwt/jws.ts";
import { parseClaims } from "../../jwt/own_claims.ts";
import type { LoginClaims } from "../../users/login_claims.ts";
import type { ClaimFlags } from "../flags/tokens.ts";

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
