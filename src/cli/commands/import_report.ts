import type { SecretUsage } from "../../auth/secret_usage.ts";
import { placeName } from "../../core/location.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import { describeVersion, printable, tokenKidText } from "../format.ts";
import { remarkOnDropped } from "../warnings.ts";

/** What an import has done. */
interface ImportReport {
  readonly version: Version;
  readonly made: boolean;
  readonly use: SecretUsage;
  readonly weak: readonly string[];
  /** What the secret is, if everyone may have it, such as "a public key". */
  readonly known: string | undefined;
  readonly proven: boolean;
  /** Whether the secret is rotated next. */
  readonly rotates: boolean;
}

/** Prints what an import has done. */
export async function tell(report: ImportReport, context: Context): Promise<void> {
  const { version, made, proven } = report;
  const { output } = context;
  tellResult(report, context);
  if (proven) output.remark("the token verifies with it");
  if (version.replaces !== null && made) {
    output.remark(`version ${version.replaces}, which was never used, has ended`);
    await remarkOnDropped(version, version.replaces, context);
  }
  warningsOf(report).forEach((text) => output.warning(text));
}

function tellResult(
  { version, made, use, weak, proven, rotates }: ImportReport,
  { secrets, output }: Context,
): void {
  const app = secrets.environment.app.name;
  const named = `version ${version.version} (kid ${version.kid})`;
  const { encoding, kid } = use;
  const how = `${version.alg}, ${described(version, use)}`;
  output.result(
    {
      ...describeVersion(app, version),
      alg: version.alg,
      imported: made,
      weaknesses: weak,
      encoding,
      token_verified: proven,
      ...kid === undefined ? {} : { source_kid: kid },
    },
    [
      made
        ? `Imported the JWT secret of ${app} as ${named} in ${placeName(version.location)}: ${how}`
        : rotates
        ? `The secret was imported before as ${named}, which is ${version.state}`
        : `Nothing to do: the secret was imported before as ${named}, which is ${version.state}`,
    ],
  );
}

const MOVE_OFF = "Move off it with `rekey rotate`";

function warningsOf({ version, use, weak, known }: ImportReport): string[] {
  const kid = printable(use.kid ?? version.kid);
  return [
    ...use.losesKid
      ? [
        `the token's kid cannot be kept; new tokens have the kid ${kid}, and those with the old one verify by their signature`,
      ]
      : [],
    ...oddities(use),
    ...known === undefined
      ? []
      : [`the secret is ${known}: everyone who has that can make tokens that verify. ${MOVE_OFF}`],
    ...weak.length === 0 ? [] : [`the secret is weak: ${weak.join("; ")}. ${MOVE_OFF}`],
  ];
}

function described({ key_form, token_kid }: Version, { encoding }: SecretUsage): string {
  if (key_form === "pkcs8") {
    return `key pair (from ${encoding.toUpperCase()})${tokenKidText({ token_kid })}`;
  }
  const isPlain = encoding === "text" || encoding === "bytes";
  return `key form ${key_form} (${isPlain ? "used as" : "decoded from"} ${encoding})`;
}

// Such characters are kept, but an editor or a shell may have added them.
function oddities({ secret, encoding }: SecretUsage): string[] {
  if (encoding !== "text") return [];
  const text = secret.reveal();
  if (text.startsWith("\uFEFF")) return ["the secret begins with a byte order mark, which is kept"];
  const inside = text.trim();
  // Line and tab stops, escape sequences of a terminal, spaces without a width.
  const hasUnseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(inside);
  return [
    ...inside === text ? [] : ["the secret begins or ends with white space, which is kept"],
    ...hasUnseen
      ? ["the secret contains a line end or another invisible character, which is kept"]
      : [],
  ];
}
