import { EVENTS } from "../audit/events.ts";
import { usageError } from "../core/errors.ts";
import type { JsonObject } from "../jwt/jws.ts";
import { mustBeOwnClaims, parseClaims } from "../jwt/own_claims.ts";
import type { SecretManager } from "../secret/manager.ts";
import { changeUsers, knownUser, unknownUser } from "./change.ts";
import { type User, Users } from "./users.ts";

/** Largest size of the claims that every login of a user gets, in bytes of JSON: a token has room for them. */
const MOST_LOGIN_CLAIMS = 4_096;

/** What the tokens of a user's logins say besides what every token says. */
export interface LoginClaims {
  readonly audience?: readonly string[] | undefined;
  readonly scope?: string | undefined;
  readonly claims?: JsonObject | undefined;
}

/** The claims set for a user. @throws {RekeyError} `usage` when their row was damaged. */
export function loginClaims({ claims }: Pick<User, "claims">): LoginClaims {
  if (claims === null) return {};
  return parseClaims(new TextEncoder().encode(claims), "the claims of the user") as LoginClaims;
}

/**
 * Sets the claims of a user's logins, in place of those before; without any, their tokens say no more than others.
 * Tokens that were issued keep what they say.
 *
 * @returns the name as stored.
 * @throws {RekeyError} `failed` for an unknown user, `usage` for claims that rekey sets itself or that are too long.
 */
export async function setLoginClaims(
  secrets: SecretManager,
  name: string,
  wanted: LoginClaims,
): Promise<string> {
  const text = stored(wanted);
  const known = await knownUser(secrets, name);
  await changeUsers(
    secrets,
    ({ database }) => {
      if (!new Users(database).setClaims(known, text)) throw unknownUser();
    },
    EVENTS.claimsChanged,
    known,
  );
  return known;
}

/** The claims set for a user, by name. @throws {RekeyError} `failed` for an unknown user. */
export async function loginClaimsOf(secrets: SecretManager, name: string): Promise<LoginClaims> {
  const known = await knownUser(secrets, name);
  const { database } = (await secrets.open()).installation;
  const user = new Users(database).find(known);
  if (user === undefined) throw unknownUser();
  return loginClaims(user);
}

function stored(wanted: LoginClaims): string | null {
  mustBeOwnClaims(wanted.claims ?? {});
  const said = Object.entries(wanted).filter(([, value]) => value !== undefined);
  if (said.length === 0) return null;
  const text = JSON.stringify(Object.fromEntries(said));
  if (new TextEncoder().encode(text).length <= MOST_LOGIN_CLAIMS) return text;
  throw usageError(`Cannot set claims of more than ${MOST_LOGIN_CLAIMS} bytes`, "Say less in them");
}
