import { provenUsage, statedUsage } from "../../auth/import_usage.ts";
import { isRekeyError, RekeyError, usageError } from "../../core/errors.ts";
import { weaknesses } from "../../secret/import/not_a_secret.ts";
import { publicIn } from "../../secret/import/public_key.ts";
import { type Algorithm, isHmac } from "../../core/algorithms.ts";
import { STANDARD_POLICY, type TokenPolicy } from "../../jwt/policy.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { warnOfExposed } from "../exposed_inputs.ts";
import { warnOfOthers, warnOfRisk } from "../warnings.ts";
import type { Context } from "../context.ts";
import { applyPolicy, firstPolicy, type PolicyFlags, withFlags } from "./policy.ts";
import { input, sourceIn, tokenOf } from "./import_input.ts";
import { tell } from "./import_report.ts";
import { rotate } from "./rotate.ts";
import { rfc3339 } from "../../core/clock.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";
import type { ImportFlags } from "./import_flags.ts";

/** Imports the secret or the private key of an application. */
export async function importSecret(options: ImportFlags, context: Context): Promise<void> {
  const { secrets, store } = context;
  refuseContradictions(options);
  const { data, origin } = input(options);
  const source = sourceIn(data, options, context.output);
  const token = options.checkToken === undefined ? undefined : tokenOf(options.checkToken);
  const use = token === undefined
    ? statedUsage(source, options)
    : provenUsage(source, options, token, ...await policyFor(options, context));
  const { secret, keyForm, alg = "HS512" } = use;
  const weak = isHmac(alg) ? weaknesses(secret.hmacKey(keyForm), alg) : [];
  if (weak.length > 0 && !options.allowWeak) throw tooWeak(weak, use.alg);
  const reason = ["imported from", origin, options.reason && `(${options.reason})`];
  const given = { secret, reason: reason.filter(Boolean).join(" ") };
  const wanted = { store, alg, firstPolicy: firstPolicy(options) };
  const imported = isHmac(alg)
    ? await secrets.import(given, { ...wanted, keyForm })
    : await secrets.import({ ...given, tokenKid: use.kid }, wanted);
  if (options.thenRotate) await refuseEnded(imported.version, context);
  await applyPolicy(options, context);
  const known = options.literal ? publicIn(data) : undefined;
  const rotates = options.thenRotate === true && imported.version.state === "current";
  const proven = token !== undefined;
  await tell({ ...imported, use, weak, known, proven, rotates }, context);
  if (options.file !== undefined) warnOfExposed(options.file, context.output);
  if (imported.made) warnOfOthers(context);
  if (options.thenRotate) await moveOff(imported.version, options, context);
  else await warnOfRisk(context);
}

// A command that is repeated rotates once.
async function moveOff(
  { version, state, grace_until }: Version,
  { reason = "moved off an imported secret", grace, thenAlg }: ImportFlags,
  context: Context,
): Promise<void> {
  if (state !== "current") {
    const end = grace_until === null ? "" : ` until ${rfc3339(grace_until)}`;
    return context.output.remark(
      `nothing is rotated: version ${version} was replaced before, and its tokens verify${end}`,
    );
  }
  const flags = { reason, grace, ...thenAlg === undefined ? {} : { alg: thenAlg } };
  await rotate({ ...flags, force: true, lockTimeout: LOCK_TIMEOUT_MS / 1000 }, context);
}

// Its tokens stay refused: that must not look like a soft move off the secret.
async function refuseEnded(
  { version, state, grace_until }: Version,
  { secrets }: Context,
): Promise<void> {
  const isOver = grace_until !== null && grace_until <= secrets.environment.clock();
  if (state !== "retired" && !isOver) return;
  const current = (await secrets.open()).installation.versions.current();
  throw new RekeyError(
    "failed",
    `Cannot rotate the secret: it was imported before as version ${version}, which has ended, ` +
      "and its tokens stay refused",
    { hint: `\`rekey rotate\` replaces the secret in use, version ${current?.version}` },
  );
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

function tooWeak(weak: string[], alg: Algorithm | undefined): RekeyError {
  const which = alg === undefined ? "If its tokens are HS256, say so with --alg; " : "";
  return new RekeyError("secret_weak", `Cannot import the secret, it is weak: ${weak.join("; ")}`, {
    hint: `${which}--allow-weak imports it anyway, best with --then-rotate --grace 24h`,
  });
}
