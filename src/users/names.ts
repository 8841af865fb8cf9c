import { usageError } from "../core/errors.ts";
import type { User, Users } from "./users.ts";

// The PRECIS framework (RFC 8264 §4, §8 and §9) on the runtime's Unicode properties. No maintained npm package implements
// it (`saslprep` implements its predecessor, RFC 4013).

/** In which PRECIS string classes a code point is valid; for `context` the code points around it decide. */
type CodePointClass = "allowed" | "free-form only" | "context" | "refused";

// RFC 8264 §9.6, which refers to RFC 5892 §2.6.
const EXCEPTIONS: readonly (readonly [codes: RegExp, valid: CodePointClass])[] = [
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

// Compiling these patterns takes 2 ms, so it waits until a name is checked.
let compiled: ReturnType<typeof makePatterns> | undefined;
const patterns = () => compiled ??= makePatterns();

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

/** The algorithm of RFC 8264 §8. */
function classOf(character: string): CodePointClass {
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

/** Whether a text belongs to the IdentifierClass (RFC 8264 §4.2). */
function isIdentifier(text: string): boolean {
  const characters = [...text];
  return text.isWellFormed() && characters.every((character, at) => {
    const found = classOf(character);
    return found === "allowed" || (found === "context" && fitsContext(characters, at));
  });
}

/**
 * Whether a text belongs to the FreeformClass (RFC 8264 §4.3). Contextual rules are not applied: they prevent lookalikes,
 * and a password is never shown.
 */
function isFreeform(text: string): boolean {
  return text.isWellFormed() && [...text].every((character) => classOf(character) !== "refused");
}

const ARABIC_DIGIT = /[\u0660-\u0669]/u;
const EXTENDED_DIGIT = /[\u06f0-\u06f9]/u;

/**
 * The contextual rules of RFC 5892 appendix A. The joiners (A.1, A.2) are refused: their rules need properties that the
 * runtime lacks.
 */
function fitsContext(characters: readonly string[], at: number): boolean {
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
 * The Bidi Rule (RFC 5893 §2) for a text of the IdentifierClass: a text with right-to-left letters starts with such a
 * letter, ends with such a letter or a digit, and has no left-to-right letters and only one kind of digits.
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

/** Longest user name, in characters. */
export const LONGEST_NAME = 128;

// The Unicode block "Halfwidth and Fullwidth Forms".
const OTHER_WIDTHS = /[\uff01-\uffef]/gu;

/**
 * A user name as stored: the profile UsernameCasePreserved (RFC 8265 §3.4). Case is kept because a name becomes the `sub`
 * of tokens, which programs compare byte by byte.
 *
 * @returns `undefined` for an invalid name.
 */
export function preparedName(name: string): string | undefined {
  const prepared = name.replace(OTHER_WIDTHS, (wide) => wide.normalize("NFKC")).normalize("NFC");
  const length = [...prepared].length;
  // A leading dash would make it a flag on the command line.
  const isPlain = length >= 1 && length <= LONGEST_NAME && !prepared.startsWith("-");
  return isPlain && isIdentifier(prepared) && keepsBidiRule(prepared) ? prepared : undefined;
}

/** The name of a new user as stored. @throws {RekeyError} `usage` for an invalid name. */
export function checkedName(name: string): string {
  const prepared = preparedName(name);
  if (prepared !== undefined) return prepared;
  throw usageError(
    "Cannot use the user name",
    `Use 1 to ${LONGEST_NAME} letters, digits and the signs of a keyboard, without spaces; ` +
      "no dash first, and no letters of both directions of writing",
  );
}

/**
 * The user with a name. Databases of older rekey versions may hold a name that was stored as typed; an exact match
 * comes first.
 */
export function namedUser(users: Users, name: string): User | undefined {
  if (!name.isWellFormed()) return undefined;
  const found = users.find(name);
  if (found !== undefined) return found;
  const prepared = preparedName(name);
  return prepared === undefined || prepared === name ? undefined : users.find(prepared);
}

/** One form for all spellings of a name, under which failed logins are counted. */
export function commonName(users: Users, name: string): string {
  return namedUser(users, name)?.name ?? preparedName(name) ?? name.toWellFormed();
}

/** Whether a user has this name, or (in a database of an older rekey) another spelling of it. */
export function isTaken(users: Users, prepared: string): boolean {
  return users.find(prepared) !== undefined ||
    users.beyondAscii().some((name) => preparedName(name) === prepared);
}

/** The `sub` claims that belong to a name: of a user, or of tokens made with `issue --sub`. */
export function subjectsOf(users: Users, name: string): string[] {
  const user = namedUser(users, name);
  if (user?.name === name) return [name];
  const prepared = user?.name ?? preparedName(name);
  return prepared === undefined ? [name] : [...new Set([prepared, name])];
}

/**
 * A password in the form that is hashed: the profile OpaqueString (RFC 8265 §4.2). Other spaces become U+0020, and
 * characters are composed (NFC); case, width and compatibility forms stay.
 */
export function preparedPassword(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}

/** Whether a new password has only characters that OpaqueString allows. */
export function isUsablePassword(password: string): boolean {
  return isFreeform(preparedPassword(password));
}
