import { RekeyError, usageError } from "../core/errors.ts";
import { JWK_MEMBERS } from "./key_data.ts";

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
const OTHERS = ["prepared", ...LISTS];
const OF_THE_SET = ["current", ...OTHERS];
const OF_A_KEY = [
  ...["kid", "alg", "hmac", "pair", "ec", "okp", "rsa"],
  ...["text", "base64", "base64url", "hex", "pem", "spki"],
  ...["jwk_json", "expires_at"],
];
const OF_A_JWK = JWK_MEMBERS.map((name) => `jwk.${name}`);

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

/** Whether a template uses another key than the current one: a list of keys, or the prepared one. */
export async function usesOtherKeys(template: string): Promise<boolean> {
  const { parse } = await mustache();
  const uses = ([kind, name, , , inside = []]: TemplatePart): boolean =>
    ["name", "&", "#"].includes(kind) && OTHERS.includes(name.split(".")[0]!) || inside.some(uses);
  return explained(() => parse(template)).some(uses);
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
