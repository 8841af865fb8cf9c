import { utf8 } from "./encoding.ts";

/** A text is not strict JSON; the message says why. */
export class StrictJsonError extends Error {
  override readonly name = "StrictJsonError";
}

// Parsers limit nesting, 64 being the lowest common limit (RFC 8259 §9), and so does the runtime when it passes a
// value to another thread: there it would fail as a bug in the middle of a request.
const MAX_DEPTH = 64;

/** A value, and whether its text is what `JSON.stringify` makes of it. */
export interface StrictJson {
  readonly value: unknown;
  readonly isPlain: boolean;
}

/**
 * Parses JSON so that no two parsers can read it differently (RFC 8725 §2.4): valid UTF-8, no duplicate member name, no
 * lone surrogate and no NUL in a string, no number that a double cannot hold (RFC 7493 §2.2), at most 64 levels of
 * nesting.
 *
 * @throws {StrictJsonError} for anything else.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  return readStrictJson(bytes).value;
}

/** {@linkcode parseStrictJson}, which also tells how the text is written. */
export function readStrictJson(bytes: Uint8Array): StrictJson {
  let text: string;
  let value: unknown;
  try {
    text = utf8(bytes);
  } catch {
    throw new StrictJsonError("it is not UTF-8");
  }
  try {
    value = JSON.parse(text);
  } catch {
    throw new StrictJsonError("it is not JSON");
  }
  if (isPlain(text, value)) return { value, isPlain: true };
  checkTokens(text);
  return { value, isPlain: false };
}

// Most issuers write JSON as `JSON.stringify` does. If that gives the same text, no member name was dropped as a
// duplicate and no number was changed, which is quicker than looking at each token. Only an escape can bring a lone
// surrogate or a NUL into JSON in UTF-8.
function isPlain(text: string, value: unknown): boolean {
  return !text.includes("\\") && isExactUpTo(MAX_DEPTH, value) && JSON.stringify(value) === text;
}

// Whether a value is nested no deeper, and each number in it is the one that was written: a whole number beyond the safe
// ones may have been rounded to one that is written the same.
function isExactUpTo(levels: number, value: unknown): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value) || !Number.isInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (levels === 0) return false;
  for (const name in value) {
    if (!isExactUpTo(levels - 1, (value as Record<string, unknown>)[name])) return false;
  }
  return true;
}

// The text is known to be JSON, so only strings, numbers and brackets matter: a string before a colon is a member
// name. `names` has a set for every open object and `null` for every open array.
function checkTokens(text: string): void {
  const names: (Set<string> | null)[] = [];
  for (const token of text.match(TOKENS) ?? []) {
    const first = token[0];
    if (first === '"') checkString(token, names.at(-1));
    else if (first === "{") names.push(new Set());
    else if (first === "[") names.push(null);
    else if (first === "}" || first === "]") names.pop();
    else checkNumber(token);
    if (names.length > MAX_DEPTH) throw new StrictJsonError("it is nested too deeply");
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]|-?\d[\d.eE+-]*/g;

function checkNumber(token: string): void {
  const value = Number(token);
  // A double holds every safe integer, and some larger ones.
  const isWhole = /^-?\d+$/.test(token);
  const isExact = !isWhole || Number.isSafeInteger(value) ||
    (Number.isFinite(value) && BigInt(token) === BigInt(value));
  if (isExact && Number.isFinite(value)) return;
  throw new StrictJsonError("a number is too large to be exact");
}

function checkString(token: string, names: Set<string> | null | undefined): void {
  const end = token.lastIndexOf('"') + 1;
  const string = token.includes("\\") ? checkEscapes(token.slice(0, end)) : token.slice(1, end - 1);
  if (end === token.length || !names) return;
  if (names.has(string)) throw new StrictJsonError("it has a duplicate member name");
  names.add(string);
}

// Only escapes can bring a lone surrogate or a NUL into JSON in UTF-8.
function checkEscapes(literal: string): string {
  const string: string = JSON.parse(literal);
  if (!string.isWellFormed()) throw new StrictJsonError("a string has a lone surrogate");
  if (string.includes("\0")) throw new StrictJsonError("a string has a NUL");
  return string;
}
