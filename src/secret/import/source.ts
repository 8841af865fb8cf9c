import { Buffer } from "node:buffer";
import type { RekeyError } from "../../core/errors.ts";
import { type Algorithm, HMAC_ALGORITHMS, type HmacAlgorithm } from "../../core/algorithms.ts";
import { type Encoding, unreadable } from "./imported.ts";
import { isEnvFile, recognised } from "./not_a_secret.ts";
import { parse } from "dotenv";

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

const PARTS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g;

/** Names that occur twice in an object of a JSON text: `JSON.parse` takes the last one, other parsers the first. */
function repeatedNames(json: string): Set<string> {
  const repeated = new Set<string>();
  const open: Set<string>[] = [];
  for (const part of json.match(PARTS) ?? []) {
    if (part === "{" || part === "[") open.push(new Set());
    else if (part === "}" || part === "]") open.pop();
    else if (part.endsWith(":")) {
      const name: string = JSON.parse(part.slice(0, part.lastIndexOf('"') + 1));
      if (open.at(-1)?.has(name)) repeated.add(name);
      open.at(-1)?.add(name);
    }
  }
  return repeated;
}

type Json = Record<string, unknown>;

/** Whether a value is a JWK (RFC 7517 §4). */
function isJwk(value: unknown): value is Json {
  return typeof (value as Json | undefined)?.kty === "string";
}

/** Whether a value is a JWK Set (RFC 7517 §5). */
function isJwkSet(value: unknown): value is Json {
  return Array.isArray((value as Json | undefined)?.keys) &&
    ((value as Json).keys as unknown[]).some(isJwk);
}

/**
 * The symmetric key of a JWK or of a set.
 *
 * @param kid chooses one of a set.
 * @throws {RekeyError} `usage` unless exactly one key matches.
 */
function jwkOf(value: Json, kid?: string): Json {
  const all: unknown = value.keys;
  const keys = Array.isArray(all) ? all.filter(isJwk) : [value];
  const named = kid === undefined ? keys : keys.filter((key) => key.kid === kid);
  if (named.length === 0) {
    throw unreadable("no JWK of the set has that kid", "Name one with --name");
  }
  const symmetric = named.filter(({ kty, use }) => kty === "oct" && use !== "enc");
  if (symmetric.length === 0) {
    const hint = "Only a JWK with kty oct that is for signing is an HMAC key (RFC 7518 §6.4)";
    throw unreadable(
      Array.isArray(all) ? "its JWKs are of other kinds" : "it is a JWK of another kind",
      hint,
    );
  }
  if (symmetric.length === 1) return symmetric[0]!;
  throw unreadable("the JWK Set has several keys", "Name the kid of one with --name");
}

/**
 * The key of a JWK: `k` is base64url (RFC 7518 §6.4.1).
 *
 * @throws {RekeyError} `usage` when it has no `k`, or is for another algorithm.
 */
function jwkReading({ k, alg, kid }: Json): Reading {
  if (typeof k !== "string" || k === "") throw unreadable("the JWK has no k", "It is no key then");
  if (alg !== undefined && !HMAC_ALGORITHMS.includes(alg as HmacAlgorithm)) {
    const hint = `Tokens are signed with ${HMAC_ALGORITHMS.join(", ")}`;
    throw unreadable("the JWK is for another algorithm", hint);
  }
  return {
    text: k,
    encoding: "base64url",
    alg: alg as Algorithm | undefined,
    kid: typeof kid === "string" ? kid : undefined,
  };
}

/**
 * The value of a variable in a file of `NAME=VALUE` lines, by the rules of `dotenv`. Programs differ on backslashes, `$`
 * and `#` within a value, and a wrong guess would be another secret: such a value is in doubt, and a token can show
 * which reading is right.
 *
 * @throws {RekeyError} `usage` when the file does not set it, or sets it to several values.
 */
function envReadings(text: string, name: string): Source {
  const lines = text.replaceAll(/\r\n?/g, "\n");
  const values = parse(lines);
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) {
    throw unreadable("the file sets no variable of that name", "Check --name");
  }
  if (value === "") {
    throw unreadable("the file sets that variable to nothing", "Is it the right file?");
  }
  const pattern = new RegExp(
    `^[^\\S\\n]*(?:export\\s+)?${RegExp.escape(name)}[^\\S\\n]*=(.*)$`,
    "gm",
  );
  const raw = [...lines.matchAll(pattern)].map(([, rest]) => rest!.trim());
  if (new Set(raw).size > 1) throw unreadable("the file sets it twice", "Pipe in the value itself");
  const others = otherReadings(raw[0] ?? "", value);
  const doubtful = isDoubtful(raw[0] ?? "", value) ? inDoubt() : undefined;
  return { reading: { text: value }, doubt: doubtful ?? recognised(value), others };
}

function isDoubtful(raw: string, value: string): boolean {
  if (raw.startsWith("'")) return false;
  if (/\$[A-Za-z_{(]/.test(value)) return recognised(value) === undefined;
  if (raw.startsWith('"')) return raw.includes("\\");
  return raw.startsWith("`") || /\\|\S#/.test(raw) || /^["']|["']$/.test(value);
}

// As shells read it, as Docker's --env-file does (the whole line), and as the literal text between the quotes.
function otherReadings(raw: string, value: string) {
  const inner = /^(["'`])(.*)\1(?:\s+#.*)?$/.exec(raw)?.[2];
  const texts = [
    inner?.replace(/\\(["\\$`])/g, "$1"),
    inner?.replace(/\\(.)/g, "$1"),
    inner,
    raw.split(/\s#/)[0]!.trim(),
    raw.replace(/\\(.)/g, "$1"),
    raw,
  ];
  const different = new Set(texts.filter((text) => text !== undefined && text !== value));
  return [...different].filter((text) => text !== "").map((text) => ({ text: text! }));
}

function inDoubt(): RekeyError {
  return unreadable(
    "programs read its line in different ways",
    "Pipe in the value itself, or let a token of the application's decide: --check-token TOKEN",
  );
}
