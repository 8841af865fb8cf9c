import { Buffer } from "node:buffer";
import type { RekeyError } from "../../core/errors.ts";
import { LONGEST, unreadable } from "./imported.ts";
import { isJwkSet, type JwkOrSet, jwkReading } from "./jwk_source.ts";
import { bareJson, jsonOf } from "./json_text.ts";
import { isEnvFile, recognised } from "./not_a_secret.ts";
import { refusePublic } from "./public_key.ts";
import { betweenQuotes, LINE_START, withShortBlanks } from "./plain_text.ts";
import { isJwk } from "./private_jwk.ts";
import type { Passphrase } from "./pem_encryption.ts";
import { keyInBytes, keyInText } from "./private_key.ts";
import { parse } from "dotenv";
import type { Reading } from "./reading.ts";

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
  /** Chooses the key of a JWK Set when `name` says where the set is. */
  readonly kid?: string | undefined;
  /** Called when the input is an encrypted private key. */
  readonly passphrase?: Passphrase | undefined;
}

const NO_PASSPHRASE: Passphrase = () => {
  throw unreadable("its private key is encrypted", "Give its passphrase with --passphrase-file");
};

/** Input whose bytes are the key of an HMAC secret. */
export function bytesSource(data: Uint8Array): Source {
  return certain({ text: Buffer.from(data).toString("base64"), encoding: "bytes" });
}

/** A private key in DER; `undefined` for other bytes. @throws {RekeyError} as {@linkcode keyInBytes} does. */
export function derSource(
  data: Uint8Array,
  { passphrase = NO_PASSPHRASE }: SourceOptions,
): Source | undefined {
  const key = keyInBytes(data, passphrase);
  if (key !== undefined) return certain({ text: "", key });
  // PEM in UTF-16, or with a comment in another encoding.
  refusePublic(data);
  return undefined;
}

/**
 * Finds the secret in the input: a value alone, a private key, a file of `NAME=VALUE` lines, JSON with a key of that
 * name, a JWK (RFC 7517) or a set of them.
 *
 * @throws {RekeyError} `usage` when the name does not occur.
 */
export function sourceOf(text: string, options: SourceOptions): Source {
  const { name, literal = false } = options;
  if (literal) return alone(text, undefined);
  if (name === undefined) return keySource(text, options) ?? alone(text, recognised(text));
  const json = jsonOf(text);
  if (json !== undefined) return inJson(json, name, text, options);
  if (isEnvFile(text) || assignment(name).test(text)) {
    return envReadings(text.replace(/^\uFEFF/, ""), name, options);
  }
  throw unreadable(
    "it is neither JSON nor lines of NAME=VALUE",
    "Leave out --name for a value alone",
  );
}

/**
 * A text that says by itself what it is: a JWK, a set of them, or a private key; `undefined` for others.
 *
 * @throws {RekeyError} `usage` for one that has only public keys.
 */
export function keySource(
  text: string,
  { kid, passphrase = NO_PASSPHRASE }: SourceOptions,
): Source | undefined {
  const bare = betweenQuotes(text.trim()) ?? text;
  const json = jsonOf(bare);
  if (isJwk(json) || isJwkSet(json)) return jwkSource(json, kid, bare);
  const key = keyInText(text, passphrase);
  if (key !== undefined) return certain({ text: "", key });
  refusePublic(text);
  return undefined;
}

const certain = (reading: Reading): Source => ({ reading, others: [] });

// Without the line end, which editors add and most programs ignore. A byte order mark stays, as a part of the value.
function alone(text: string, doubt: RekeyError | undefined): Source {
  const value = text.replace(/\r?\n$/, "");
  const trimmed = value.trim();
  const others = [text, value.replace(/^\uFEFF/, ""), trimmed, betweenQuotes(trimmed) ?? value];
  const different = [...new Set(others)].filter((other) => other !== value && other !== "");
  return { reading: { text: value }, doubt, others: different.map((text) => ({ text })) };
}

function assignment(name: string): RegExp {
  return new RegExp(`${LINE_START}(export\\s+)?${RegExp.escape(name)}\\s*=`, "m");
}

function inJson(json: unknown, name: string, text: string, options: SourceOptions): Source {
  if (isJwkSet(json)) return jwkSource(json, name, text);
  const found = valueAt(json, name);
  if (isJwk(found) || isJwkSet(found)) return jwkSource(found, options.kid, text);
  if (typeof found === "string") {
    const twice = saidTwice(text, [name, ...name.split(/[.:/]|__/)]);
    const source = keySource(found, options);
    if (source !== undefined) return { ...source, doubt: twice ?? source.doubt };
    return { ...certain({ text: found }), doubt: twice ?? recognised(found) };
  }
  throw found === undefined
    ? unreadable("the JSON has no such key", "Write a path as Jwt:Key, Jwt.Key or Jwt__Key")
    : unreadable("what the JSON has under that key is no text", "Name the key of the value itself");
}

const JWK_MEMBERS = ["kty", "crv", "d", "n", "e", "k", "kid", "alg"];

function jwkSource(value: JwkOrSet, kid: string | undefined, text: string): Source {
  return { ...certain(jwkReading(value, kid)), doubt: saidTwice(text, JWK_MEMBERS) };
}

// Programs differ on which one they take.
function saidTwice(text: string, names: readonly string[]): RekeyError | undefined {
  const twice = repeatedNames(bareJson(text));
  if (!names.some((name) => twice.has(name))) return undefined;
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

/**
 * The value of a variable in a file of `NAME=VALUE` lines, by the rules of `dotenv`. Programs differ on backslashes, `$`
 * and `#` within a value, and a wrong guess would be another secret: such a value is in doubt, and a token can show
 * which reading is right.
 *
 * @throws {RekeyError} `usage` when the file does not set it, or sets it to several values.
 */
function envReadings(text: string, name: string, options: SourceOptions): Source {
  // A value that has so many blanks stays too long.
  const lines = withShortBlanks(text.replaceAll(/\r\n?/g, "\n"), LONGEST + 1);
  const values = parse(lines);
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) {
    throw unreadable("the input sets no variable of that name", "Check --name");
  }
  if (value === "") {
    throw unreadable("the input sets that variable to nothing", "Give one that has the secret");
  }
  const key = keySource(value, options);
  const pattern = new RegExp(
    `${LINE_START}(?:export\\s+)?${RegExp.escape(name)}[^\\S\\n]*=(.*)$`,
    "gm",
  );
  const raw = [...lines.matchAll(pattern)].map(([, rest]) => rest!.trim());
  if (new Set(raw).size > 1) throw unreadable("the file sets it twice", "Pipe in the value itself");
  // No reading but one makes lines of base64 out of it.
  if (key !== undefined) return key;
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
