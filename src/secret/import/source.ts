import { Buffer } from "node:buffer";
import type { RekeyError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/policy.ts";
import { envReadings } from "./env_file.ts";
import { type Encoding, unreadable } from "./imported.ts";
import { isJwk, isJwkSet, jwkOf, jwkReading, repeatedNames } from "./jwk.ts";
import { isEnvFile, recognised } from "./not_a_secret.ts";

/** One way to read a secret from the input. */
export interface Reading {
  readonly text: string;
  /** Set when the format determines it: a JWK's key is base64url. */
  readonly encoding?: Encoding | undefined;
  readonly alg?: Algorithm | undefined;
  /** Set when the format names the key. */
  readonly kid?: string | undefined;
}

/** All ways to read a secret from the input. */
export interface Source {
  /** The plain reading. */
  readonly reading: Reading;
  /** Why the plain reading may be wrong; then a token or a person must confirm it. */
  readonly doubt?: RekeyError | undefined;
  /** Other ways in which programs read it, to try against a token. */
  readonly others: readonly Reading[];
}

/** How the input is to be read. */
export interface SourceOptions {
  /** A variable's name, a key of JSON or a path to one, or the kid of a JWK. */
  readonly name?: string | undefined;
  /** Whether the input is the secret, whatever it looks like. */
  readonly literal?: boolean | undefined;
}

/** Input whose bytes are the key. */
export function bytesSource(data: Uint8Array): Source {
  return certain({ text: Buffer.from(data).toString("base64"), encoding: "bytes" });
}

/**
 * Finds the secret in the input: a value alone, a file of `NAME=VALUE` lines, JSON with a key of that name, a JWK
 * (RFC 7517) or a set of them.
 *
 * @throws {RekeyError} `usage` when the name does not occur.
 */
export function sourceOf(text: string, { name, literal = false }: SourceOptions): Source {
  if (literal) return alone(text, undefined);
  const json = jsonOf(text);
  if (name === undefined) {
    if (isJwk(json) || isJwkSet(json)) return certain(jwkReading(jwkOf(json)));
    return alone(text, recognised(text));
  }
  if (json !== undefined) return inJson(json, name, text);
  if (
    isEnvFile(text) || new RegExp(`^\\s*(export\\s+)?${RegExp.escape(name)}\\s*=`, "m").test(text)
  ) {
    return envReadings(text.replace(/^\uFEFF/, ""), name);
  }
  throw unreadable(
    "it is neither JSON nor lines of NAME=VALUE",
    "Leave out --name for a value alone",
  );
}

const certain = (reading: Reading): Source => ({ reading, others: [] });

// Without the line end, which editors add and most programs ignore. A byte order mark stays, as a part of the value.
function alone(text: string, doubt: RekeyError | undefined): Source {
  const value = text.replace(/\r?\n$/, "");
  const others = [text, value.replace(/^\uFEFF/, ""), value.trim(), unquoted(value)];
  const different = [...new Set(others)].filter((other) => other !== value && other !== "");
  return { reading: { text: value }, doubt, others: different.map((text) => ({ text })) };
}

function unquoted(value: string): string {
  return /^(["'`])([\s\S]*)\1$/.exec(value.trim())?.[2] ?? value;
}

function inJson(json: unknown, name: string, text: string): Source {
  const found = isJwkSet(json) ? jwkOf(json, name) : valueAt(json, name);
  if (isJwk(found) || isJwkSet(found)) return certain(jwkReading(jwkOf(found)));
  if (typeof found === "string") {
    return { ...certain({ text: found }), doubt: saidTwice(text, name) ?? recognised(found) };
  }
  throw found === undefined
    ? unreadable("the JSON has no such key", "Write a path as Jwt:Key, Jwt.Key or Jwt__Key")
    : unreadable("what the JSON has under that key is no text", "Name the key of the value itself");
}

// Programs differ on which one they take.
function saidTwice(text: string, path: string): RekeyError | undefined {
  const twice = repeatedNames(bareJson(text));
  if (![path, ...path.split(/[.:/]|__/)].some((name) => twice.has(name))) return undefined;
  return unreadable("the JSON has that key twice", "Pipe in the value itself");
}

// The whole name first, since a key may contain dots. .NET separates paths by a colon, in variables by two underscores.
function valueAt(json: unknown, path: string): unknown {
  const own = memberOf(json, path);
  if (own !== undefined) return own;
  for (const separator of [".", ":", "__", "/"]) {
    const parts = path.split(separator);
    const found = parts.reduce<unknown>((value, part) => memberOf(value, part), json);
    if (parts.length > 1 && found !== undefined) return found;
  }
  return undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

// Comments and trailing commas of settings files, and the strings in which they must stay.
const STRING_OR_COMMENT = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const STRING_OR_COMMA = /"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/g;

function bareJson(text: string): string {
  return text.replace(/^\uFEFF/, "").trim()
    .replace(STRING_OR_COMMENT, (part) => part.startsWith('"') ? part : " ")
    .replace(STRING_OR_COMMA, (part) => part.startsWith('"') ? part : "");
}

function jsonOf(text: string): object | undefined {
  if (!/^\s*[{[/]/.test(text.replace(/^\uFEFF/, ""))) return undefined;
  try {
    const value: unknown = JSON.parse(bareJson(text));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    // The message of a syntax error would quote the value.
    return undefined;
  }
}
