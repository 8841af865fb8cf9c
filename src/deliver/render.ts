import { RekeyError, usageError } from "../core/errors.ts";
import {
  type DeliveredKey,
  type DeliveredKeys,
  type KeyData,
  keyData,
  verifyingKeys,
} from "./key_set.ts";

/** Formats that need no template. */
export const FORMATS = ["text", "env", "json", "jwks"] as const;
export type Format = (typeof FORMATS)[number];

/** What a file is made of: a format, or a mustache template. */
export type Content = { readonly format: Format } | { readonly template: string };

/** Parameters of a delivery, by name. */
export type DeliveryParameters = Readonly<Record<string, string>>;

/**
 * The bytes of a delivery's file.
 *
 * @param isForOne whether the file is for the current key alone, whose parts a template may then use by their own names.
 * @throws {RekeyError} `failed` when the format cannot hold a key of this form; `usage` when a template is wrong.
 */
export async function render(
  content: Content,
  set: DeliveredKeys,
  parameters: DeliveryParameters = {},
  isForOne = false,
): Promise<Uint8Array> {
  if ("template" in content) {
    return encoded(await fill(content.template, templateData(set, parameters, isForOne)));
  }
  return FORMAT_WRITERS[content.format](set, parameters);
}

/** The bytes of a JWK Set (RFC 7517 §5), the newest key first. */
export function jwks(set: DeliveredKeys): Uint8Array {
  return asJson({ keys: verifyingKeys(set).map((key) => keyData(key).jwk) });
}

const FORMAT_WRITERS: Record<
  Format,
  (set: DeliveredKeys, parameters: DeliveryParameters) => Uint8Array
> = {
  text: ({ current }, { encoding }) => inEncoding(current, encoding),
  env,
  json,
  jwks,
};

// The key itself: a line end after it would belong to the key for many programs.
function inEncoding(key: DeliveredKey, encoding = "text"): Uint8Array {
  const isBytes = encoding === "bytes";
  if (isBytes || (encoding === "text" && key.keyForm !== "text")) {
    return key.secret.hmacKey(key.keyForm);
  }
  return encoded(asText(key, encoding));
}

/** Encodings of a key as one line of text. */
export const TEXT_ENCODINGS = ["text", "base64", "base64url", "hex"] as const;

function asText(key: DeliveredKey, encoding: string): string {
  const known = TEXT_ENCODINGS.find((name) => name === encoding);
  if (known === undefined) {
    throw usageError(
      "Cannot use the parameter encoding: rekey does not know that name",
      `Set one of ${TEXT_ENCODINGS.join(", ")}`,
    );
  }
  const text = keyData(key)[known];
  if (text !== undefined) return text;
  throw noText();
}

function noText(): RekeyError {
  return new RekeyError("failed", "Cannot deliver the key as text: its key form is raw", {
    hint: "Add the delivery with `--set encoding=base64`; in a template use {{base64}} or {{hex}}",
  });
}

// What systemd's EnvironmentFile=, docker's --env-file, dotenv and a shell all read alike.
const SAFE_IN_ENV = /^[A-Za-z0-9+/=_.,:@%-]*$/;

function env(
  set: DeliveredKeys,
  { encoding = "text", variable = "JWT_SECRET" }: DeliveryParameters,
): Uint8Array {
  if (!/^[A-Za-z_]\w*$/.test(variable)) {
    throw usageError(
      "Cannot use the parameter variable: no variable can have that name",
      "Use letters, digits and _",
    );
  }
  const { current, prepared, previous: [previous] } = set;
  const lines = [
    ...lineOf(variable, current, encoding),
    [`${variable}_ALG`, current.alg],
    ...lineOf(`${variable}_PREVIOUS`, previous, encoding),
    ...lineOf(`${variable}_NEXT`, prepared, encoding),
  ];
  return encoded(lines.map(([name, value]) => `${name}=${value}\n`).join(""));
}

function lineOf(
  name: string,
  key: DeliveredKey | undefined,
  encoding: string,
): [string, string][] {
  if (key === undefined) return [];
  const value = asText(key, encoding);
  if (!SAFE_IN_ENV.test(value)) {
    throw new RekeyError(
      "failed",
      "Cannot deliver the key as a variable: programs would read its characters differently",
      { hint: "Add the delivery with `--set encoding=base64`" },
    );
  }
  return [[name, value], [`${name}_KID`, key.kid]];
}

function json(set: DeliveredKeys): Uint8Array {
  const keys = verifyingKeys(set).map((key) => {
    const { kid, jwk: _, jwk_json: __, ...data } = keyData(key);
    return [kid, data];
  });
  return asJson({ current: set.current.kid, keys: Object.fromEntries(keys) });
}

function asJson(value: unknown): Uint8Array {
  return encoded(`${JSON.stringify(value, null, 2)}\n`);
}

const encoded = (text: string) => new TextEncoder().encode(text);

// What a template sees: the keys, and the parameters by name.
function templateData(
  set: DeliveredKeys,
  parameters: DeliveryParameters,
  isForOne: boolean,
): Record<string, unknown> {
  const { current, prepared, previous } = set;
  return Object.assign(isForOne ? strictly(keyData(current)) : {}, parameters, {
    current: strictly(keyData(current)),
    prepared: prepared && strictly(keyData(prepared)),
    previous: inList(previous),
    verifying: inList(verifyingKeys(set)),
  });
}

// A template that asks for text which there is not must fail, and not deliver an empty key.
function strictly(key: KeyData): KeyData {
  if (key.text !== undefined) return key;
  return Object.defineProperty({ ...key }, "text", {
    get() {
      throw noText();
    },
  });
}

// `{{^last}},{{/last}}` separates the members of a list.
function inList(keys: readonly DeliveredKey[]) {
  return keys.map((key, at) => {
    const last = at === keys.length - 1;
    return strictly({ ...keyData(key), last } as KeyData);
  });
}

/** A part of a template: kind, name or text, start, end, and the parts inside a section. */
type TemplatePart = readonly [string, string, number, number, (readonly TemplatePart[])?];

interface Mustache {
  parse(template: string): TemplatePart[];
  Writer: new () => {
    render(
      template: string,
      view: unknown,
      partials: undefined,
      config: { escape: (text: unknown) => string },
    ): string;
  };
}

// The package has no types of its own.
async function mustache(): Promise<Mustache> {
  return (await import("mustache")).default;
}

/**
 * Fills a mustache template. Nothing is escaped: the data are keys, and paths and names of the operator.
 *
 * @throws {RekeyError} `usage` when the template is not mustache.
 */
export async function fill(template: string, data: Record<string, unknown>): Promise<string> {
  const { Writer } = await mustache();
  // A writer of its own each time: it remembers the templates that it has seen.
  return explained(() => new Writer().render(template, data, undefined, { escape: String }));
}

const LISTS = ["verifying", "previous"];
const OF_THE_SET = ["current", "prepared", ...LISTS];
const OF_A_KEY = ["kid", "alg", "text", "base64", "base64url", "hex", "jwk_json", "expires_at"];
const OF_A_JWK = ["kty", "kid", "alg", "use", "k"].map((name) => `jwk.${name}`);

/** Parts of a key in templates. */
export const ALL_OF_A_KEY: readonly string[] = [...OF_A_KEY, ...OF_A_JWK];
const ALL_OF_THE_SET = [
  ...OF_THE_SET,
  ...["current", "prepared"].flatMap((key) => ALL_OF_A_KEY.map((name) => `${key}.${name}`)),
];

/** What a template is filled with: all keys, one key, or neither, as in commands. */
export type TemplateUse = "keys" | "key" | "none";

/**
 * Checks that a template is mustache, and uses only names that there are: an unknown one would be left out in silence.
 *
 * @param names that may be used besides those of keys, such as parameters.
 * @throws {RekeyError} `usage` when it is not.
 */
export async function checkTemplate(
  template: string,
  names: readonly string[],
  use: TemplateUse = "keys",
): Promise<void> {
  const { parse } = await mustache();
  const known = [
    ...names,
    ...use === "keys" ? ALL_OF_THE_SET : [],
    ...use === "key" ? ALL_OF_A_KEY : [],
    ".",
  ];
  checkParts(explained(() => parse(template)), known, false);
}

function checkParts(
  parts: readonly TemplatePart[],
  known: readonly string[],
  isInList: boolean,
): void {
  for (const [kind, name, , , inside] of parts) {
    if (kind === ">") {
      throw usageError("Cannot use the template: it includes another one", "Put all in one file");
    }
    if (["name", "&", "#", "^"].includes(kind)) mustBeKnown(name, known);
    if (inside === undefined) continue;
    const isList = kind === "#" && LISTS.includes(name);
    if (isList && isInList) {
      // Each level would multiply its length.
      throw usageError("Cannot use the template: it has a list of keys in another one", "Use one");
    }
    const isKey = kind === "#" && OF_THE_SET.includes(name);
    const more = [...isKey ? ALL_OF_A_KEY : [], ...isList ? ["last"] : []];
    checkParts(inside, [...known, ...more], isInList || isList);
  }
}

function mustBeKnown(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw usageError(
    `Cannot use the template: it uses ${JSON.stringify(name)}, which there is not in that place`,
    `There are ${known.filter((one) => !one.includes(".")).join(", ")}`,
  );
}

function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RekeyError) throw error;
    // The message quotes the template, which is the operator's and holds no value.
    throw usageError(
      `Cannot use the template: ${error instanceof Error ? error.message : "it is not mustache"}`,
      "Write it in mustache: {{current.kid}}, {{#verifying}}…{{/verifying}}",
    );
  }
}
