import { Buffer } from "node:buffer";
import type { RekeyError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/policy.ts";
import { envReadings } from "./env_file.ts";
import { type Encoding, unreadable } from "./imported.ts";
import { isJwk, isJwkSet, jwkOf, jwkReading, repeatedNames } from "./jwk.ts";
import { isEnvFile, recognised } from "./not_a_secret.ts";

/** A secret as it may be written in what was given. */
export interface Reading {
  readonly text: string;
  /** Where the format says it: a JWK's key is base64url. */
  readonly encoding?: Encoding | undefined;
  readonly alg?: Algorithm | undefined;
  /** The name that the format gives it. */
  readonly kid?: string | undefined;
}

/** Everything that the secret may be in what was given. */
export interface Source {
  /** The plain reading. */
  readonly reading: Reading;
  /** Why it may not be the application's: a token has to decide, or a person. */
  readonly doubt?: RekeyError | undefined;
  /** How else programs read it; a token can tell. */
  readonly others: readonly Reading[];
}

/** How the operator says that it is written. */
export interface SourceOptions {
  /** A variable's name, a key of JSON or a path to one, or the kid of a JWK. */
  readonly name?: string | undefined;
  /** Whether it is the secret whatever it looks like. */
  readonly literal?: boolean | undefined;
}

/** Bytes that are the key as they are. */
export function bytesSource(data: Uint8Array): Source {
  return certain({ text: Buffer.from(data).toString("base64"), encoding: "bytes" });
}

/**
 * Finds the secret in what was given: a value alone, a file of `NAME=VALUE` lines, JSON with a key of that name, a JWK
 * (RFC 7517) or a set of them.
 *
 * @throws {RekeyError} `usage` when there is none of that name.
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

// A line end is an editor's, and most programs leave it out; so do most with a byte order mark, which is kept all the
// same, since it is in the value that was given.
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

// Programs differ in which one counts.
function saidTwice(text: string, path: string): RekeyError | undefined {
  const twice = repeatedNames(bareJson(text));
  if (![path, ...path.split(/[.:/]|__/)].some((name) => twice.has(name))) return undefined;
  return unreadable("the JSON has that key twice", "Pipe in the value itself");
}

// The key itself first: it may have dots. .NET writes paths with a colon, and with two underscores in variables.
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

// With the comments and trailing commas that settings files have; strings stay as they are.
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
    // A syntax error's message would quote it.
    return undefined;
  }
}
