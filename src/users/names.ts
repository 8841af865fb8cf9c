import { usageError } from "../core/errors.ts";
import type { User, Users } from "./users.ts";

/**
 * Classes of code points of the PRECIS framework (RFC 8264 §4, §8 and §9). Unicode's properties are those of the runtime;
 * no package of npm's that is kept up implements PRECIS (`saslprep` is its forerunner, RFC 4013).
 */

/** Whether a code point may stand in a string of a class; `context` asks for the code points around it. */
type Standing = "allowed" | "free-form only" | "context" | "refused";

// RFC 8264 §9.6, which are those of RFC 5892 §2.6.
const EXCEPTIONS: readonly (readonly [code: RegExp, standing: Standing])[] = [
  [/[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]/u, "allowed"],
  [/[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]/u, "context"],
  [/[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]/u, "refused"],
];

const JOINERS = /[\u200c\u200d]/u;
const OLD_HANGUL = /[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb]/u;

const RTL_SCRIPTS = [
  ...["Hebrew", "Arabic", "Syriac", "Thaana", "Nko", "Samaritan", "Mandaic", "Adlam", "Cypriot"],
  ...["Hanifi_Rohingya", "Mende_Kikakui", "Yezidi", "Phoenician", "Imperial_Aramaic"],
];

// Making such a pattern is looking up its properties: 2 ms that not every start is to pay.
let made: ReturnType<typeof makePatterns> | undefined;
const patterns = () => made ??= makePatterns();

function makePatterns() {
  const rightToLeft = RTL_SCRIPTS.map((script) => `\\p{Script=${script}}`).join("");
  return {
    ignorable: /[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u,
    letterOrDigit: /[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]/u,
    freeForm: /[\p{Lt}\p{Nl}\p{No}\p{Me}\p{Zs}\p{S}\p{P}]/u,
    rightToLeft: new RegExp(`[${rightToLeft}]`, "u"),
    mark: /\p{Mn}/u,
  };
}

// In the order of RFC 8264 §8.
function standing(character: string): Standing {
  const exception = EXCEPTIONS.find(([codes]) => codes.test(character));
  if (exception !== undefined) return exception[1];
  if (/\p{Cn}/u.test(character)) return "refused";
  if (/[!-~]/.test(character)) return "allowed";
  if (JOINERS.test(character)) return "context";
  if (OLD_HANGUL.test(character) || patterns().ignorable.test(character)) return "refused";
  if (/\p{Cc}/u.test(character)) return "refused";
  if (character.normalize("NFKC") !== character) return "free-form only";
  if (patterns().letterOrDigit.test(character)) return "allowed";
  return patterns().freeForm.test(character) ? "free-form only" : "refused";
}

/** Whether a text is of the IdentifierClass (RFC 8264 §4.2). */
function isIdentifier(text: string): boolean {
  const characters = [...text];
  return text.isWellFormed() && characters.every((character, at) => {
    const found = standing(character);
    return found === "allowed" || (found === "context" && fits(characters, at));
  });
}

/**
 * Whether a text is of the FreeformClass (RFC 8264 §4.3). What depends on its neighbours may stand anywhere: a text that is
 * compared and never shown can mislead no one.
 */
function isFreeform(text: string): boolean {
  return text.isWellFormed() && [...text].every((character) => standing(character) !== "refused");
}

const ARABIC_DIGIT = /[\u0660-\u0669]/u;
const EXTENDED_DIGIT = /[\u06f0-\u06f9]/u;

/**
 * The contextual rules of RFC 5892 appendix A. Those of the joiners (A.1, A.2) take properties that the runtime does not
 * have: they are refused, as they were before.
 */
function fits(characters: readonly string[], at: number): boolean {
  const [before = "", own, after = ""] = [characters[at - 1], characters[at]!, characters[at + 1]];
  if (own === "\u00b7") return before === "l" && after === "l";
  if (own === "\u0375") return /\p{Script=Greek}/u.test(after);
  if (own === "\u05f3" || own === "\u05f4") return /\p{Script=Hebrew}/u.test(before);
  const text = characters.join("");
  if (own === "\u30fb") {
    return /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(
      text.replaceAll("\u30fb", ""),
    );
  }
  if (ARABIC_DIGIT.test(own)) return !EXTENDED_DIGIT.test(text);
  return EXTENDED_DIGIT.test(own) && !ARABIC_DIGIT.test(text);
}

const EUROPEAN_DIGIT = /[0-9\u06f0-\u06f9]/u;

/**
 * The Bidi Rule (RFC 5893 §2), for a text of the IdentifierClass: one with letters that are written from right to left
 * begins with such a letter, ends with one or a digit, and has neither others nor both kinds of digits.
 */
function keepsBidiRule(text: string): boolean {
  const plain = [...text].filter((character) => !patterns().mark.test(character));
  const isDigit = (character: string) =>
    EUROPEAN_DIGIT.test(character) || ARABIC_DIGIT.test(character);
  const isLetter = (character: string) =>
    patterns().rightToLeft.test(character) && !isDigit(character);
  if (!plain.some((character) => isLetter(character) || ARABIC_DIGIT.test(character))) return true;
  const isOther = (character: string) =>
    /[\p{L}\p{N}\p{Mc}]/u.test(character) && !isLetter(character) && !isDigit(character);
  const [first, last] = [plain[0]!, plain.at(-1)!];
  const mixed = plain.some((digit) => EUROPEAN_DIGIT.test(digit)) &&
    plain.some((digit) => ARABIC_DIGIT.test(digit));
  return isLetter(first) && !plain.some(isOther) && (isLetter(last) || isDigit(last)) && !mixed;
}

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
  throw usageError(
    "Cannot use the user name",
    `Use 1 to ${LONGEST_NAME} letters, digits and the signs of a keyboard, without spaces; ` +
      "no dash first, and no letters of both directions of writing",
  );
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
