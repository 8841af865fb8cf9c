import { rfc3339 } from "../../core/clock.ts";
import { isRekeyError, usageError } from "../../core/errors.ts";
import { type NextStep, nextStep, type StandbyTimes } from "../../secret/next_step.ts";
import { notInitialised } from "../../secret/view.ts";
import { mustKnowAlgorithm } from "../../deliver/rotation.ts";
import { nextUse } from "../../secret/next_use.ts";
import { isAsWanted } from "../../secret/prepared_facts.ts";
import { keyFlagsText, wantedKey } from "../key_flags.ts";
import { mustBeAbleToRotate } from "../../secret/next_rotation.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import { describeVersion, spelled } from "../format.ts";
import { requireReady } from "../notices/announced_rotation.ts";
import type { RotationNotices } from "../notices/rotation_notices.ts";
import { prepare } from "./prepare.ts";
import type { RotateFlags } from "./rotate_flags.ts";

/** Under the lock, a step turned out to be another process's, or to be due no more. Nothing was changed. */
class NotDue extends Error {}

/**
 * The times of `--if-older-than` and `--standby`; `undefined` without `--standby`.
 *
 * @throws {RekeyError} `usage` when they do not fit.
 */
export function standbyTimes(
  { standby, ifOlderThan }: Pick<RotateFlags, "standby" | "ifOlderThan">,
): StandbyTimes | undefined {
  if (standby === undefined) return undefined;
  if (ifOlderThan === undefined) {
    throw usageError(
      "Cannot use --standby without --if-older-than",
      "It takes the step that is due: write both, or --prepare or --activate",
    );
  }
  mustFit(standby, ifOlderThan);
  return { maxAgeMs: ifOlderThan * 1000, standbyMs: standby * 1000 };
}

/**
 * Checks that a version is activated before its successor is to be prepared; else keys would get older than wanted.
 *
 * @param standby seconds, as is `maxAge`.
 * @throws {RekeyError} `usage`.
 */
export function mustFit(standby: number, maxAge: number): void {
  if (2 * standby <= maxAge) return;
  throw usageError(
    "Cannot use that --standby: it is more than half of the age at which a secret is replaced",
    "A version's age counts from when it was prepared. Write a shorter --standby",
  );
}

/** Makes a rotation, or activates. @param permit called under the lock. */
type Rotate = (
  options: RotateFlags,
  notices: RotationNotices,
  context: Context,
  permit: (installation: Installation) => void,
) => Promise<void>;

/** Prepares or activates, whichever is due, or does nothing. Repeating it is safe, on several machines at once too. */
export async function takeNextStep(
  options: RotateFlags,
  times: StandbyTimes,
  notices: RotationNotices,
  context: Context,
  rotate: Rotate,
): Promise<void> {
  const { installation } = await context.secrets.openFresh();
  const { step, isDue } = nextStep(installation, times);
  if (!isDue) return await doNothing(options, times, notices, context);
  const permit = (now: Installation) => {
    const next = nextStep(now, times);
    if (!next.isDue || next.step !== step) throw new NotDue();
  };
  try {
    if (step === "prepare") await prepare(options, context, permit);
    else await activate(options, notices, context, rotate, permit);
  } catch (error) {
    if (!(error instanceof NotDue)) throw error;
    await doNothing(options, times, notices, context);
  }
}

async function activate(
  options: RotateFlags,
  notices: RotationNotices,
  context: Context,
  rotate: Rotate,
  permit: (installation: Installation) => void,
): Promise<void> {
  const { alg: _a, keyForm: _k, bytes: _b, as: _s, bits: _i, reason: _r, ...rest } = options;
  // --force means here that no one is asked, and not that verifiers are not waited for.
  const { ifOlderThan: _o, force: _f, ...flags } = rest;
  warnIfOther((await context.secrets.open()).installation, options, context);
  try {
    await rotate({ ...flags, activate: true }, notices, context, permit);
  } catch (error) {
    if (!isRekeyError(error, "secret_missing")) throw error;
    await replaceLost(error, options, context, permit);
  }
}

// A value that is lost would stop each later run too; no token depends on it.
async function replaceLost(
  error: Error,
  options: RotateFlags,
  context: Context,
  permit: (installation: Installation) => void,
): Promise<void> {
  const { secrets, output } = context;
  const lost = (await secrets.openFresh()).installation.versions.prepared();
  await prepare(options, context, permit);
  const { installation } = await secrets.open();
  if (lost === undefined || installation.versions.prepared()?.kid === lost.kid) throw error;
  output.warning(`the value of version ${lost.version}, which was prepared, is lost`);
}

// A mistake shows now, and not when the step is due.
async function mustBePossible(installation: Installation, options: RotateFlags): Promise<void> {
  nextUse(installation, wantedKey(options));
  if (!options.forceDeliveries) await mustKnowAlgorithm(installation, options.alg, true);
}

// Refusing would leave this machine without rotations.
function warnIfOther(
  { versions }: Installation,
  options: RotateFlags,
  { output }: Context,
): void {
  const prepared = versions.prepared();
  if (prepared === undefined || isAsWanted(prepared, wantedKey(options))) return;
  const flags = keyFlagsText(options);
  const grace = options.grace > 0 ? ` --grace ${spelled(options.grace)}` : "";
  output.warning(
    `version ${prepared.version} (${prepared.alg}) is prepared, and is activated when it is due, ` +
      `although it is not as ${flags} says: \`rekey rotate --force ${flags}${grace}\` ` +
      "replaces it at once; else the version after it is as wanted",
  );
}

async function doNothing(
  options: RotateFlags,
  times: StandbyTimes,
  notices: RotationNotices,
  context: Context,
): Promise<void> {
  const { secrets, output } = context;
  const { installation } = await secrets.open();
  const app = secrets.environment.app.name;
  const { version, step, at, text } = stepNow(installation, times);
  output.result(
    { ...describeVersion(app, version), rotated: false, next_step: step, next_at: rfc3339(at) },
    [`Nothing to do: ${text} is due from ${rfc3339(at)} on`],
  );
  if (step === "prepare") await mustBePossible(installation, options);
  else warnIfOther(installation, options, context);
  await requireReady(version, notices, context);
}

/** The next step, in words too, and the current version, as of one moment. @throws {RekeyError} `not_initialised`. */
export function stepNow(installation: Installation, times: StandbyTimes) {
  const { database, versions, environment: { app } } = installation;
  return database.snapshot(() => {
    const version = versions.current();
    if (version === undefined) throw notInitialised(app.name);
    const next = nextStep(installation, times);
    return { version, ...next, text: stepText(next.step, versions.prepared()) };
  });
}

function stepText(step: NextStep["step"], prepared: Version | undefined): string {
  return step === "prepare"
    ? "preparing the next version"
    : `activating version ${prepared?.version} (kid ${prepared?.kid})`;
}

/** Of a dry run: the step that is due, or when the next one is. */
export async function showNextStep(
  options: RotateFlags,
  times: StandbyTimes,
  context: Context,
): Promise<void> {
  const { secrets, output, store } = context;
  const { installation } = await secrets.openFresh();
  const { version, step, at, isDue, text } = stepNow(installation, times);
  if (step === "prepare") await mustBePossible(installation, options);
  else warnIfOther(installation, options, context);
  if (isDue) await mustBeAbleToRotate(installation, store);
  output.result({
    dry_run: true,
    ...describeVersion(secrets.environment.app.name, version),
    next_step: step,
    next_at: rfc3339(at),
    is_due: isDue,
  }, [
    isDue
      ? `Would do the step that is due: ${text}`
      : `Would do nothing: ${text} is due from ${rfc3339(at)} on`,
  ]);
}
