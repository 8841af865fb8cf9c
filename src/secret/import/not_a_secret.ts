import { RekeyError } from "../../core/errors.ts";
import { decodeBase64url } from "../../core/encoding.ts";
import { Buffer } from "node:buffer";
import type { HmacAlgorithm } from "../../core/algorithms.ts";

// Assignments in settings files and programs, other than a line NAME=VALUE.
const LINES: readonly RegExp[] = [
  // const secret = "…"; String secret = "…"; var secret string = "…"
  /^(export\s+)?(const|let|var|val|final|static|public|private|protected|readonly)\s[\w\s:<>?[\]]*[\w>\]]\s*:?=\s*\S/,
  /^[A-Za-z_][\w.<>[\]]*(\s+[A-Za-z_]\w*)?\s*(:?=|=>)\s*["'`]/,
  // secret = …; secret := …; $secret = …; $env:SECRET = …; @secret = …
  /^[$@:]?(env:)?[A-Za-z_][\w.]*\s+:?=>?\s+\S|^\$(env:)?[A-Za-z_]\w*\s*=\s*["']/,
  // "secret": "…", 'secret' => '…'
  /^(["'])[\w.:-]+\1\s*(:|=>)\s*\S/,
  // define('SECRET', '…'), setx SECRET …, set SECRET=…, ENV SECRET=…, ENV SECRET …
  /^define\(\s*["']/,
  /^(setx\s+"?[A-Za-z_]\w*"?\s|set\s+"?[A-Za-z_]\w*=|(ENV|ARG)\s+[A-Za-z_]\w*[=\s])\s*\S/,
  // Environment=SECRET=…, - SECRET=…, -e SECRET=…, docker run -e SECRET=…
  /^(Environment=\s*["']?|-\s+["']?|(docker|podman)\s.*\s)[A-Za-z_]\w*[=:]\s*\S/,
  /(^|\s)(-e|--env|--build-arg)[\s=]["']?[A-Za-z_]\w*=\S/,
];

// The section heading of an INI or TOML file.
const HEADING = /^\[[\w .:"-]+\]$/;

// Only among several lines: a single line may be a passphrase.
const MEMBER = /^(export\s+)?[A-Za-z_][\w.-]*\s*(:\s|=(?!=|$)\s*)\S/;

/** Whether a text contains an assignment from a program, a settings file or a command line. */
function isAssignment(text: string): boolean {
  const lines = text.split(/\r\n?|\n/).map((line) => line.trim()).filter((line) => line !== "");
  if (lines.some((line) => LINES.some((pattern) => pattern.test(line)))) return true;
  return lines.length > 1 && lines.some((line) => HEADING.test(line) || MEMBER.test(line));
}

/** A kind of input that is not a secret, and the hint for it. */
interface Kind {
  readonly what: string;
  readonly hint: string;
  is(text: string): boolean;
}

const kind = (what: string, hint: string, is: RegExp | Kind["is"]): Kind => ({
  what,
  hint,
  is: typeof is === "function" ? is : (text) => is.test(text),
});

const OTHER_KEY =
  "Tokens are signed with an HMAC secret, or a private key in PKCS#8, SEC 1, PKCS#1 or JWK";
/** The hint for what has only a public key, without {@linkcode AS_IT_IS}. */
export const PUBLIC = "It has only the public key, which signs nothing: import the private key";
/** What ends the hint for input that may be a secret all the same. */
export const AS_IT_IS = "if the application does use it as it is, --literal imports it";
const WHOSE = "Import what it stands for";

// The first match applies.
const KINDS: readonly Kind[] = [
  kind("a PGP private key", OTHER_KEY, /-----BEGIN PGP PRIVATE KEY BLOCK-----/),
  kind(
    "a text with a private key in it",
    "Import the lines from BEGIN to END alone",
    /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/,
  ),
  kind("a certificate request", PUBLIC, /-----BEGIN [A-Z0-9 ]*CERTIFICATE REQUEST-----/),
  kind("a certificate", PUBLIC, /-----BEGIN ([A-Z0-9 ]*CERTIFICATE|PKCS7|CMS)-----/),
  kind("a public key", PUBLIC, /-----BEGIN [A-Z0-9 ]*PUBLIC KEY( BLOCK)?-----/),
  kind("an encrypted message", OTHER_KEY, /-----BEGIN (PGP|AGE) |^age-encryption\.org\/v1/),
  kind("PEM", OTHER_KEY, /-----BEGIN [A-Z0-9 ]+-----/),
  // Alone, with its options or host before it (sshd(8)), and in RFC 4716.
  kind(
    "an SSH public key",
    PUBLIC,
    /(^|\s)(ssh-(rsa|dss|ed\d)\S*|ecdsa-sha2-\S+|sk-\S+)\s+AAAA|^---- BEGIN SSH2 PUBLIC KEY/m,
  ),
  kind(
    "an SSH private key",
    "puttygen and then `ssh-keygen -p -m PKCS8 -f COPY` convert a copy of it",
    /^PuTTY-User-Key-File-|^---- BEGIN SSH2 /,
  ),
  kind("an age key", OTHER_KEY, /(^|\n)AGE-SECRET-KEY-|^age1[02-9ac-hj-np-z]{50,}$/),
  kind("a token", "Give it to --check-token, and its secret here", isToken),
  kind("a public key", PUBLIC, isPublicXml),
  kind("an XML file", "Import the value alone", /^<(\?xml\b|([a-z]\w*)[\s>][\s\S]*<\/\2>$)/i),
  kind("JSON", "Name the key in it with --name: JWT_SECRET, or Jwt:Key", isJson),
  kind(
    "a file of NAME=VALUE lines",
    "Name the variable with --name, such as JWT_SECRET",
    isEnvFile,
  ),
  kind(
    "YAML",
    "Import the value alone",
    /^(---[^\S\n]*\n)?(#.*\n|[^\S\n]*\n)*[A-Za-z_][\w.-]*:(\s+\S|\s*\n)/,
  ),
  kind("a line of a program or of a settings file", "Import the value alone", isAssignment),
  kind(
    "a placeholder",
    `${WHOSE}; a program or a person was to put the secret in its place`,
    isStandIn,
  ),
  kind("the name of a secret elsewhere", WHOSE, isReference),
  kind("a URL", WHOSE, /^[a-z][a-z0-9+.-]*:\/\/\S+$|^data:[\w/+.-]*[;,]/i),
  kind("the hash of a password", WHOSE, /^\$(2[abxy]?|5|6|7|y|argon2\w*|scrypt|pbkdf2[\w-]*)\$/),
  kind(
    "a value in quotes",
    "Import it without them",
    /^(["'`])[\s\S]*\1$|^[\u201c\u2018\u00ab][\s\S]*[\u201d\u2019\u00bb]$/,
  ),
];

/**
 * The error for a value that is plainly not a secret, without quoting it; `undefined` when it may be one.
 */
export function recognised(text: string): RekeyError | undefined {
  const found = kindOf(text);
  return found && isNot(found);
}

function kindOf(text: string): Kind | undefined {
  const plain = text.replace(/^\uFEFF/, "").trim();
  return KINDS.find(({ is }) => is(plain));
}

function isNot({ what, hint }: Kind): RekeyError {
  return new RekeyError("usage", `Cannot import the value: it is ${what}`, {
    hint: `${hint}; ${AS_IT_IS}`,
  });
}

/** What a text is that is a public key, or has one in it as PEM, for messages; `undefined` for others. */
export function publicKind(text: string): string | undefined {
  const found = kindOf(text);
  return found?.hint === PUBLIC ? found.what : undefined;
}

const NAMED = /^\s*(export\s+)?([A-Za-z_][\w.]*)\s*=/;

/** Whether a text is an environment file of `NAME=VALUE` lines. */
export function isEnvFile(text: string): boolean {
  const lines = text.split(/\r\n?|\n/).filter((line) => !/^\s*(#|$)/.test(line));
  const named = lines.map((line) => NAMED.exec(line)).filter((found) => found !== null);
  if (lines.length !== 1) return named.length > 1 || /^\s*#/.test(text) && named.length > 0;
  // A line of base64 has `=` too, but only at its end.
  const [found] = named;
  if (found === undefined || !/=\s*[^=\s]/.test(lines[0]!.slice(found[0].length - 1))) return false;
  return /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(found[2]!) || found[1] !== undefined ||
    /secret|key|token|jwt|pass/i.test(found[2]!);
}

// XML Signature, as .NET writes keys: the private exponent of a private one is in D.
function isPublicXml(text: string): boolean {
  return /<(\w+:)?(RSAKeyValue|ECKeyValue|X509Certificate)>/.test(text) && !/<(\w+:)?D>/.test(text);
}

function isJson(text: string): boolean {
  return /^[{[]/.test(text) && /[}\]]$/.test(text) && /"\s*:|^\[\s*["{[]/.test(text);
}

// Compact JWS and JWE (RFC 7515 §7.1, RFC 7516 §7.1).
function isToken(text: string): boolean {
  const [header, ...others] = text.replace(/^bearer\s+/i, "").split(".");
  if (others.length !== 2 && others.length !== 4) return false;
  const bytes = decodeBase64url(header!);
  return /^\s*\{[\s\S]*"(alg|typ|enc)"/.test(new TextDecoder().decode(bytes));
}

function isStandIn(text: string): boolean {
  return [
    /^[$#]\{[^{}]*\}$|^\$\([^()]*\)$|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$|^\{\{[\s\S]*\}\}$/,
    /^<[^<>]{1,100}>$|^\[[^[\]]{1,100}\]$|^__\w+__$|^@\w+@$|^\{[A-Za-z_][\w ]*\}$/,
    /^(null|undefined|none|nil|true|false|todo|tbd|fixme|n\/a|x{3,}|\*{3,}|\.{3,}|-{3,})$/i,
    /^(<[^<>]*>|\[[^[\]]*\]|[-_. ])*(your|change|replace|insert|enter|put)[-_ ]?(me|this|it|here|your)?[-_ a-z]*(here|me|this)$/i,
  ].some((pattern) => pattern.test(text));
}

function isReference(text: string): boolean {
  return /^(vault:|ref\+|arn:aws:|projects\/[^/]+\/secrets\/|@Microsoft\.KeyVault\(|ENC[[(]|!vault\b|sm:\/)/
    .test(text);
}

/** Bytes of each algorithm's hash: a shorter key is refused (RFC 7518 §3.2). */
const HASH_BYTES: Record<HmacAlgorithm, number> = { HS256: 32, HS384: 48, HS512: 64 };

// A random key of 32 hex digits has some 112 by this measure, one typed by hand much less.
const LEAST_ENTROPY_BITS = 80;

// Keys that are printed in specifications and on sites where tokens are tried out.
const KNOWN_KEYS = [
  // RFC 7515 appendix A.1
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
  // RFC 7520 §3.5
  "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
  // Tutorials of web frameworks
  "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
];

// Words that placeholders consist of.
const PLACEHOLDER_WORDS = (
  "authentication application development production placeholder signature password changeme " +
  "localhost supersecret characters testing default example private signing secrets minimum " +
  "replace session insecure secure secret random public access refresh server string strong " +
  "tokens token should please change length always jwtkey update admin local super least value " +
  "super shhhh test prod with here this that must your keep safe user keys long very than bits " +
  "byte auth hmac sha512 sha384 sha256 512 384 256 128 123 and app api bit dev env for hash jwt " +
  "qwertyuiop asdfghjkl zxcvbnm company 2019 2020 2021 2022 2023 2024 2025 2026 a1b2c3 " +
  "key my new not one put set the use web foo bar abc xxx at be by do in is it me of on or to a"
).split(" ");

/**
 * Weaknesses of an HMAC key that someone else has chosen, as clauses for messages; nothing of the key is quoted. An empty
 * list does not prove a strong key.
 */
export function weaknesses(key: Uint8Array, alg: HmacAlgorithm): string[] {
  const found: string[] = [];
  if (key.length < HASH_BYTES[alg]) {
    found.push(`it has ${key.length} bytes, ${alg} needs ${HASH_BYTES[alg]} (RFC 7518 §3.2)`);
  }
  const entropy = Math.min(...[key, differences(key)].map(entropyBits));
  if (entropy < LEAST_ENTROPY_BITS) {
    found.push(`its bytes have at most ${Math.floor(entropy)} bits of entropy`);
  }
  if (isExample(key)) {
    found.push("it is a placeholder or well-known example, or made of the words of one");
  }
  return found;
}

/** Shannon entropy of the bytes, with a repeated part counted once. */
function entropyBits(bytes: Uint8Array): number {
  const part = bytes.subarray(0, period(bytes));
  const counts = new Map<number, number>();
  for (const byte of part) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / part.length);
  return part.length * shares.reduce((sum, share) => sum - share * Math.log2(share), 0);
}

// The shortest length after which the bytes repeat.
function period(bytes: Uint8Array): number {
  for (let length = 1; length < bytes.length; length++) {
    if (bytes.every((byte, index) => index < length || byte === bytes[index - length])) {
      return length;
    }
  }
  return bytes.length;
}

// A sequence such as abcdef has many values and one step.
function differences(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => byte - (bytes[index - 1] ?? 0));
}

function isExample(key: Uint8Array): boolean {
  const text = Buffer.from(key).toString();
  const base64url = Buffer.from(key).toString("base64url");
  if (KNOWN_KEYS.includes(text) || KNOWN_KEYS.includes(base64url)) return true;
  const words = text.toLowerCase();
  // A binary key has no words.
  if (!/^[\x20-\x7e]+$/.test(words)) return false;
  const rest = PLACEHOLDER_WORDS.reduce((left, word) => left.replaceAll(word, " "), words);
  return rest.replace(/[^a-z0-9]/g, "").length < 8;
}
