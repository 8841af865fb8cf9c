import { utf8 } from "../core/utf8.ts";

/** Why a text is not the JSON that a token may carry. */
export class StrictJsonError extends Error {
  override readonly name = "StrictJsonError";
}

// Readers have limits of their own, 64 the lowest of the usual ones (RFC 8259 §9), and so has the runtime where it
// hands a value to another thread: there it would be a bug in the midst of a request.
const DEEPEST = 64;

/**
 * Parses JSON as RFC 8725 §2.4 would have it: UTF-8 without errors, no member name twice, no lone
 * surrogate and no NUL in a string, no number that a double cannot hold (RFC 7493 §2.2), not more than
 * 64 brackets in each other. Two readers of such a text cannot understand two things.
 *
 * @throws {StrictJsonError} when the bytes are anything else.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
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
  checkTokens(text);
  return value;
}

// The text is JSON already, so it is enough to look at its strings, numbers and brackets: a string right before
// a colon is a member name. `names` has one set for every open object and `null` for every open array.
function checkTokens(text: string): void {
  const names: (Set<string> | null)[] = [];
  for (const token of text.match(TOKENS) ?? []) {
    const first = token[0];
    if (first === '"') checkString(token, names.at(-1));
    else if (first === "{") names.push(new Set());
    else if (first === "[") names.push(null);
    else if (first === "}" || first === "]") names.pop();
    else checkNumber(token);
    if (names.length > DEEPEST) throw new StrictJsonError("it is nested too deeply");
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]|-?\d[\d.eE+-]*/g;

function checkNumber(token: string): void {
  const value = Number(token);
  // A double holds each whole number that is not too large, and only some of those that are.
  const isWhole = /^-?\d+$/.test(token);
  if (isWhole ? Number.isSafeInteger(value) || isExact(token, value) : Number.isFinite(value)) {
    return;
  }
  throw new StrictJsonError("a number is too large to be exact");
}

function isExact(whole: string, value: number): boolean {
  return Number.isFinite(value) && BigInt(whole) === BigInt(value);
}

function checkString(token: string, names: Set<string> | null | undefined): void {
  const end = token.lastIndexOf('"') + 1;
  const string = token.includes("\\") ? checkEscapes(token.slice(0, end)) : token.slice(1, end - 1);
  if (end === token.length || !names) return;
  if (names.has(string)) throw new StrictJsonError("a member stands in it twice");
  names.add(string);
}

// UTF-8 has no lone surrogate and JSON no NUL, but for those that are written as escapes.
function checkEscapes(literal: string): string {
  const string: string = JSON.parse(literal);
  if (!string.isWellFormed()) throw new StrictJsonError("a string has a lone surrogate");
  if (string.includes("\0")) throw new StrictJsonError("a string has a NUL");
  return string;
}
