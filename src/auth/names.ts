import { RekeyError } from "../core/errors.ts";
import { isFreeform, isIdentifier, keepsBidiRule } from "./precis.ts";
import type { User, Users } from "./users.ts";

/** In characters. */
export const LONGEST_NAME = 128;

// Fullwidth and halfwidth forms (Unicode's block of that name, and the ideographic space, which no name may have).
const OTHER_WIDTHS = /[\uff01-\uffef]/gu;

/**
 * A user's name as it is stored: the profile UsernameCasePreserved (RFC 8265 §3.4). Case is kept, since names were told
 * apart by it before the profile, and since a name becomes the `sub` of tokens, which programs compare as it is.
 *
 * @returns `undefined` for what is no such name.
 */
export function preparedName(name: string): string | undefined {
  const prepared = name.replace(OTHER_WIDTHS, (wide) => wide.normalize("NFKC")).normalize("NFC");
  const length = [...prepared].length;
  // One that begins with a dash would be taken for a flag.
  const fits = length >= 1 && length <= LONGEST_NAME && !prepared.startsWith("-");
  return fits && isIdentifier(prepared) && keepsBidiRule(prepared) ? prepared : undefined;
}

/** @throws {RekeyError} `usage` for a name that no new user can have. */
export function usableName(name: string): string {
  const prepared = preparedName(name);
  if (prepared !== undefined) return prepared;
  throw new RekeyError("usage", "Cannot use the user name", {
    hint: `Use 1 to ${LONGEST_NAME} letters, digits and the signs of a keyboard, without spaces; ` +
      "no dash first, and no letters of both directions of writing",
  });
}

/**
 * The user whom a name means. One who was added before names were prepared has the name as it was typed then, and goes
 * first: it is theirs alone.
 */
export function namedUser(users: Users, name: string): User | undefined {
  if (!name.isWellFormed()) return undefined;
  const found = users.find(name);
  if (found !== undefined) return found;
  const prepared = preparedName(name);
  return prepared === undefined || prepared === name ? undefined : users.find(prepared);
}

/** A name as it counts for one user: what all ways of typing it have in common. */
export function commonName(users: Users, name: string): string {
  return namedUser(users, name)?.name ?? preparedName(name) ?? name.toWellFormed();
}

/** Whether a stored name is the same to a reader of names: one of an older rekey may be written in another way. */
export function isTaken(users: Users, prepared: string): boolean {
  return users.find(prepared) !== undefined ||
    users.beyondAscii().some((name) => preparedName(name) === prepared);
}

/** The subjects of tokens that a name means: the user's, or those of who is no user and was named by `issue --sub`. */
export function subjectsOf(users: Users, name: string): string[] {
  const user = namedUser(users, name);
  if (user?.name === name) return [name];
  const prepared = user?.name ?? preparedName(name);
  return prepared === undefined ? [name] : [...new Set([prepared, name])];
}

/**
 * A password as it is hashed: the profile OpaqueString (RFC 8265 §4.2). Spaces of other kinds become the usual one, and
 * characters are composed; case, width and compatible forms stay.
 */
export function preparedPassword(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}

/** Whether a password may be a new one. */
export function isUsablePassword(password: string): boolean {
  return isFreeform(preparedPassword(password));
}
