import { provenUsage, statedUsage } from "../../auth/import_usage.ts";
import type { SecretUsage } from "../../auth/secret_usage.ts";
import { isRekeyError, RekeyError, usageError } from "../../core/errors.ts";
import { placeName } from "../../core/location.ts";
import {
  bytesSource,
  derSource,
  keySource,
  type Source,
  sourceOf,
} from "../../secret/import/source.ts";
import { decodeText, type Encoding } from "../../secret/import/imported.ts";
import { weaknesses } from "../../secret/import/not_a_secret.ts";
import { type Algorithm, isHmac } from "../../core/algorithms.ts";
import { STANDARD_POLICY, type TokenPolicy } from "../../jwt/policy.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { warnOfOthers, warnOfRisk } from "../warnings.ts";
import { readInput } from "../../files/input_files.ts";
import { type Context, variable as environmentVariable } from "../context.ts";
import { describeVersion, tokenKidText } from "../format.ts";
import { applyPolicy, type PolicyFlags, withFlags } from "./policy.ts";
import { passphraseIn } from "../passphrase_file.ts";
import { askHidden, readStdin, readStdinBytes } from "../terminal.ts";
import { rotate } from "./rotate.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";
import { isThere } from "../../files/files.ts";

/** Flags of `rekey import`. Durations in seconds. */
export interface ImportFlags extends PolicyFlags {
  readonly fromEnv?: string;
  readonly file?: string;
  readonly name?: string;
  readonly encoding?: Encoding;
  readonly alg?: Algorithm;
  readonly kid?: string;
  readonly passphraseFile?: string;
  readonly checkToken?: string;
  readonly literal?: boolean;
  readonly allowWeak?: boolean;
  readonly thenRotate?: boolean;
  readonly thenAlg?: Algorithm;
  readonly grace: number;
  readonly reason?: string;
}

const LONGEST_INPUT = 65_536;

/** Imports the secret or the private key of an application. */
export async function importSecret(options: ImportFlags, context: Context): Promise<void> {
  const { secrets, store } = context;
  refuseContradictions(options);
  const { data, origin } = input(options);
  const source = sourceIn(data, options);
  const token = options.checkToken === undefined ? undefined : tokenOf(options.checkToken);
  const use = token === undefined
    ? statedUsage(source, options)
    : provenUsage(source, options, token, ...await policyFor(options, context));
  const { secret, keyForm, alg = "HS512" } = use;
  const weak = isHmac(alg) ? weaknesses(secret.hmacKey(keyForm), alg) : [];
  if (weak.length > 0 && !options.allowWeak) throw tooWeak(weak, use.alg);
  const reason = ["imported from", origin, options.reason && `(${options.reason})`];
  const given = { secret, reason: reason.filter(Boolean).join(" ") };
  const imported = isHmac(alg)
    ? await secrets.import(given, { store, alg, keyForm })
    : await secrets.import({ ...given, tokenKid: use.kid }, { store, alg });
  await applyPolicy(options, context);
  tell({ ...imported, use, weak, proven: token !== undefined }, context);
  if (imported.made) warnOfOthers(context);
  if (!options.thenRotate) await warnOfRisk(context);
  if (options.thenRotate && imported.version.state === "current") {
    const flags = {
      reason: options.reason ?? "moved off an imported secret",
      grace: options.grace,
      ...options.thenAlg === undefined ? {} : { alg: options.thenAlg },
    };
    await rotate({ ...flags, force: true, lockTimeout: LOCK_TIMEOUT_MS / 1000 }, context);
  }
}

function refuseContradictions(flags: ImportFlags) {
  const { grace, thenRotate, thenAlg, checkToken, fromEnv, file } = flags;
  if (thenAlg !== undefined && !thenRotate) {
    throw usageError(
      "Cannot give an algorithm of the secret after it: nothing is rotated",
      "Add --then-rotate, or leave out --then-alg",
    );
  }
  if (grace > 0 && !thenRotate) {
    throw usageError(
      "Cannot give a grace window: nothing is rotated",
      "Add --then-rotate, or leave out --grace",
    );
  }
  if (fromEnv !== undefined && file !== undefined) {
    throw usageError(
      "Cannot import from both a variable and a file",
      "Give one of --from-env and --file",
    );
  }
  if (checkToken !== "-" || fromEnv !== undefined || file !== undefined) return;
  throw usageError(
    "Cannot read both the secret and the token from stdin",
    "Give the secret by --from-env or --file, or the token as @FILE",
  );
}

function sourceIn(data: Uint8Array, flags: ImportFlags): Source {
  const { encoding, checkToken, literal, name, kid, passphraseFile } = flags;
  const options = { literal, name, kid, passphrase: () => passphraseOf(passphraseFile) };
  const text = isText(data) ? decodeText(data) : undefined;
  if (!literal && (text === undefined || encoding === "bytes")) {
    const key = text === undefined ? derSource(data, options) : keySource(text, options);
    if (key !== undefined) return key;
  }
  // Input that is not text is a binary key; the token proves it.
  if (encoding === "bytes" || (checkToken !== undefined && text === undefined)) {
    return bytesSource(data);
  }
  if (!literal && text !== undefined) refusePath(text);
  return sourceOf(text ?? decodeText(data), options);
}

function passphraseOf(file: string | undefined): string {
  if (file !== undefined) return passphraseIn(file);
  if (Deno.stdin.isTerminal()) return askHidden("Passphrase of the private key");
  throw usageError(
    "Cannot import the private key: it is encrypted",
    "Give its passphrase with --passphrase-file",
  );
}

function isText(data: Uint8Array): boolean {
  try {
    decodeText(data);
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

interface ImportReport {
  readonly version: Version;
  readonly made: boolean;
  readonly use: SecretUsage;
  readonly weak: readonly string[];
  readonly proven: boolean;
}

function tell(
  { version, made, use, weak, proven }: ImportReport,
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
        : `Nothing to do: the secret was imported before as ${named}, which is ${version.state}`,
    ],
  );
  if (proven) output.remark("the token verifies with it");
  if (version.replaces !== null && made) {
    output.remark(`version ${version.replaces}, which was never used, has ended`);
  }
  for (const text of oddities(use)) output.warning(text);
  if (weak.length > 0) {
    output.warning(`the secret is weak: ${weak.join("; ")}. Move off it with \`rekey rotate\``);
  }
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

/** The policy for the token's claims, and the present time in seconds. */
async function policyFor(flags: PolicyFlags, { secrets }: Context): Promise<[TokenPolicy, number]> {
  const now = secrets.environment.clock() / 1000;
  try {
    const { installation } = await secrets.open();
    return [withFlags(installation.policy, flags), now];
  } catch (error) {
    if (!isRekeyError(error, "not_initialised")) throw error;
    return [withFlags(STANDARD_POLICY, flags), now];
  }
}

// The longest name of a file; signed tokens are rarely shorter.
const LONGEST_NAME = 255;

// A token as `verify` takes it, or a file, since arguments are visible in process lists.
function tokenOf(given: string): string {
  if (given === "-") return readStdin(LONGEST_INPUT);
  if (!given.startsWith("@")) {
    if (given.length > LONGEST_NAME || !isThere(given)) return given;
    throw usageError(
      "Cannot use that as the token: it is a file name",
      "Write --check-token @FILE",
    );
  }
  const data = readInput(given.slice(1));
  if (data !== undefined) return new TextDecoder().decode(data).trim();
  throw usageError(
    "Cannot read the token: the file does not exist",
    "Write --check-token @FILE, or - for stdin",
  );
}

// A variable often holds the path of the file with the secret.
function refusePath(text: string): void {
  const path = text.trim();
  if (!/^(\/|~\/|\.{1,2}\/|[A-Za-z]:[\\/])[^\n]{1,1000}$/.test(path) || !isThere(path)) return;
  throw usageError("Cannot import the value: it is the path of a file", "Name it with --file");
}

function input({ fromEnv, file }: ImportFlags): { data: Uint8Array; origin: string } {
  if (fromEnv !== undefined) {
    const value = variable(fromEnv);
    return { data: new TextEncoder().encode(value), origin: "an environment variable" };
  }
  if (file !== undefined) {
    const data = readInput(file);
    if (data !== undefined) return { data, origin: "a file" };
    throw usageError("Cannot import the file: it does not exist", "Name another one with --file");
  }
  if (Deno.stdin.isTerminal()) {
    throw usageError(
      "Cannot import from a terminal, which would show the secret",
      "Use --from-env or --file, or pipe it in",
    );
  }
  return { data: readStdinBytes(LONGEST_INPUT), origin: "stdin" };
}

function variable(name: string): string {
  const plain = /^[A-Za-z_]\w{0,127}$/.test(name);
  const value = plain ? environmentVariable(name) : undefined;
  if (value !== undefined) return value;
  // The name is not shown: it may be the secret, given by mistake.
  throw usageError(
    "Cannot import the environment variable: it is not set",
    "--from-env takes the name of a variable",
  );
}

function tooWeak(weak: string[], alg: Algorithm | undefined): RekeyError {
  const which = alg === undefined ? "If its tokens are HS256, say so with --alg; " : "";
  return new RekeyError("secret_weak", `Cannot import the secret, it is weak: ${weak.join("; ")}`, {
    hint: `${which}--allow-weak imports it anyway, best with --then-rotate --grace 24h`,
  });
}
