import { RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Version, Versions } from "../store/sqlite/versions.ts";

/** The kid that a version's tokens carry: its own, unless the key had another one before it was imported. */
export function kidInTokens({ kid, token_kid }: Pick<Version, "kid" | "token_kid">): string {
  return token_kid ?? kid;
}

/** Longest kid of an imported key, in characters: each token carries it. */
export const LONGEST_KID = 255;

/** Whether a kid can be in a header and in messages: text on one line without control characters, of limited length. */
export function isUsableKid(kid: string): boolean {
  return kid !== "" && kid.length <= LONGEST_KID && kid.isWellFormed() &&
    !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(kid);
}

/**
 * What is stored as the kid of a new version's tokens: `null` when they have its own. No two versions can have a kid in
 * common, in whatever state they are: a token's kid decides which key and which algorithm verify it.
 *
 * @param wanted the kid that its tokens have had so far.
 * @throws {RekeyError} `usage` when another version has one of its kids.
 */
export function tokenKidOf(
  versions: Versions,
  { kid }: Pick<Secret, "kid">,
  wanted: string | undefined,
): string | null {
  const tokenKid = wanted === undefined || wanted === kid ? null : wanted;
  const others = [kid, tokenKid].filter((one) => one !== null)
    .map((one) => versions.byTokenKid(one))
    .filter((row) => row !== undefined && row.kid !== kid);
  const [other] = others;
  if (other === undefined) return tokenKid;
  throw new RekeyError("usage", `Cannot use the key's kid: version ${other.version} has it`, {
    hint: "Give the kid of its tokens with --kid; if they have none, any other will do",
  });
}
