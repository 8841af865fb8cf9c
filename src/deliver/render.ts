import { RekeyError, usageError } from "../core/errors.ts";
import { isHmac } from "../core/algorithms.ts";
import { type KeyData, keyData, noPem, noSecret, noText, oddKid, templateKey } from "./key_data.ts";
import { type DeliveredKey, type DeliveredKeys, type Role, verifyingKeys } from "./key_set.ts";
import { fill } from "./templates.ts";

/** Formats that need no template. */
export const FORMATS = ["text", "env", "json", "jwks", "pem"] as const;
export type Format = (typeof FORMATS)[number];

/** What a file is made of: a format, or a mustache template. */
export type Content = { readonly format: Format } | { readonly template: string };

/** Parameters of a delivery, by name. */
export type DeliveryParameters = Readonly<Record<string, string>>;

/** Whom a file is for. */
export interface FileUse {
  readonly parameters?: DeliveryParameters;
  /** Default: `verifier`. */
  readonly role?: Role;
  /** Whether the file is for the current key alone, whose parts a template may then use by their own names. */
  readonly isForOne?: boolean;
}

/**
 * The bytes of a delivery's file.
 *
 * @throws {RekeyError} `failed` when it cannot hold a key of this kind or form; `usage` when a template is wrong.
 */
export async function render(
  content: Content,
  set: DeliveredKeys,
  { parameters = {}, role = "verifier", isForOne = false }: FileUse = {},
): Promise<Uint8Array> {
  if ("template" in content) {
    return encoded(await fill(content.template, templateData(set, { parameters, role, isForOne })));
  }
  return FORMAT_WRITERS[content.format](set, parameters, role);
}

type FormatWriter = (set: DeliveredKeys, parameters: DeliveryParameters, role: Role) => Uint8Array;

const FORMAT_WRITERS: Record<Format, FormatWriter> = {
  text: ({ current }, { encoding }, role) => inEncoding(current, encoding, role),
  env,
  json: (set, _, role) => json(set, role),
  jwks: (set, _, role) => asJson({ keys: verifyingKeys(set).map((key) => keyData(key, role).jwk) }),
  pem: (set, _, role) =>
    encoded(verifyingKeys(set).map((key) => `${asText(key, "pem", role)}\n`).join("")),
};

// An HMAC secret itself: a line end after it would belong to the key for many programs.
function inEncoding(key: DeliveredKey, encoding = "text", role: Role): Uint8Array {
  const isBytes = encoding === "bytes" || (encoding === "text" && key.keyForm !== "text");
  if (isBytes && isHmac(key.alg)) return key.secret.hmacKey(key.keyForm);
  return encoded(asText(key, isBytes ? "text" : encoding, role) + (encoding === "pem" ? "\n" : ""));
}

const HMAC_ENCODINGS = ["text", "base64", "base64url", "hex"] as const;

// Which kind of key the program expects is never guessed: a public key in the place of an HMAC secret would let anyone
// sign.
const TEXTS: Record<string, (data: KeyData) => string> = {
  ...Object.fromEntries(HMAC_ENCODINGS.map((name) => [name, (data: KeyData) => {
    if (data.pair) throw noSecret();
    return data[name] ?? refuse(noText());
  }])),
  pem: ({ pem }) => pem ?? refuse(noPem()),
  jwk: ({ jwk_json }) => jwk_json,
};

function refuse(error: RekeyError): never {
  throw error;
}

/** Encodings of a key as text. */
export const TEXT_ENCODINGS: readonly string[] = Object.keys(TEXTS);

function asText(key: DeliveredKey, encoding: string, role: Role): string {
  if (!Object.hasOwn(TEXTS, encoding)) {
    throw usageError(
      "Cannot use the parameter encoding: rekey does not know that name",
      `Set one of ${TEXT_ENCODINGS.join(", ")}`,
    );
  }
  return TEXTS[encoding]!(keyData(key, role));
}

// What systemd's EnvironmentFile=, docker's --env-file, dotenv and a shell all read alike.
const SAFE_IN_ENV = /^[A-Za-z0-9+/=_.,:@%-]*$/;

// Read alike by a shell, Node and dotenv. Lines are written as they are: a shell does not know `\n`.
const QUOTES: Readonly<Record<string, readonly [quote: string, safe: RegExp]>> = {
  pem: ['"', /^[\w+/= \n-]*$/],
  jwk: ["'", /^[\w+/=.,:@%{}"-]*$/],
};

function env(
  set: DeliveredKeys,
  { encoding = "text", variable = "JWT_SECRET" }: DeliveryParameters,
  role: Role,
): Uint8Array {
  if (!/^[A-Za-z_]\w*$/.test(variable)) {
    throw usageError(
      "Cannot use the parameter variable: no variable can have that name",
      "Use letters, digits and _",
    );
  }
  const { current, prepared, previous: [previous] } = set;
  const lines = [
    ...linesOf(variable, current),
    ...linesOf(`${variable}_PREVIOUS`, previous),
    ...linesOf(`${variable}_NEXT`, prepared),
  ];
  return encoded(lines.map(([name, value]) => `${name}=${value}\n`).join(""));

  function linesOf(name: string, key: DeliveredKey | undefined): [string, string][] {
    if (key === undefined) return [];
    const value = inQuotes(asText(key, encoding, role), encoding);
    const { tokenKid: kid, alg } = key;
    if (!SAFE_IN_ENV.test(kid)) throw oddKid("as variables");
    return [[name, value], [`${name}_KID`, kid], [`${name}_ALG`, alg]];
  }
}

function inQuotes(value: string, encoding: string): string {
  if (SAFE_IN_ENV.test(value)) return value;
  const [quote, safe] = QUOTES[encoding] ?? [];
  if (safe?.test(value)) return `${quote}${value}${quote}`;
  throw new RekeyError(
    "failed",
    "Cannot deliver the key as a variable: programs would read its characters differently",
    { hint: "Add the delivery with `--set encoding=base64`" },
  );
}

function json(set: DeliveredKeys, role: Role): Uint8Array {
  const keys = verifyingKeys(set).map((key) => {
    const data = keyData(key, role);
    const { kid, alg, text, base64, base64url, hex, pem, expires_at } = data;
    const jwk = data.pair ? data.jwk : undefined;
    return [kid, { alg, text, base64, base64url, hex, pem, jwk, expires_at }];
  });
  return asJson({ current: set.current.tokenKid, keys: Object.fromEntries(keys) });
}

function asJson(value: unknown): Uint8Array {
  return encoded(`${JSON.stringify(value, null, 2)}\n`);
}

const encoded = (text: string) => new TextEncoder().encode(text);

// What a template sees: the keys, and the parameters by name.
function templateData(
  set: DeliveredKeys,
  { parameters, role, isForOne }: Required<FileUse>,
): Record<string, unknown> {
  const { current, prepared, previous } = set;
  const one = templateKey(current, role);
  // `{{^last}},{{/last}}` separates the members of a list.
  const inList = (keys: readonly DeliveredKey[]) =>
    keys.map((key, at) => templateKey(key, role, { last: at === keys.length - 1 }));
  // Not spread: what a key lacks is there, and refuses to be read.
  const parts = isForOne ? Object.getOwnPropertyDescriptors(one) : {};
  const others = {
    ...parameters,
    current: one,
    prepared: prepared && templateKey(prepared, role),
    previous: inList(previous),
    verifying: inList(verifyingKeys(set)),
  };
  return Object.defineProperties({}, { ...parts, ...Object.getOwnPropertyDescriptors(others) });
}
