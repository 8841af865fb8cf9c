import {
  type DeliveredRotation,
  mustKnowAlgorithm,
  rotateWithDeliveries,
} from "../../deliver/rotation.ts";
import { placeName } from "../../core/location.ts";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { numbered } from "../../core/words.ts";
import { staleProcesses } from "../stale_processes.ts";
import { isFollowed, mustBeFollowed } from "../../secret/followed.ts";
import { keyText, modulusBits } from "../../core/algorithms.ts";
import type { Changed } from "../../secret/backend.ts";
import { mustBeAbleToRotate, planRotation } from "../../secret/next_rotation.ts";
import { nextUse } from "../../secret/next_use.ts";
import { hasRetention } from "../../secret/retention.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { announceAndMake, requireReady } from "../notices/announced_rotation.ts";
import { type Context, variable } from "../context.ts";
import { confirmed, mustAllFollow } from "../confirmation.ts";
import { countedSessions, describeSeconds, mayBeMore, printable, sessionsText } from "../format.ts";
import { RotationNotices } from "../notices/rotation_notices.ts";
import { requireConfirmation } from "../terminal.ts";
import { wantedKey } from "../key_flags.ts";
import { activation } from "./activation.ts";
import { prepare } from "./prepare.ts";
import { hasLeft, reportRotation } from "./rotation_report.ts";
import { showNextStep, standbyTimes, takeNextStep } from "./next_step.ts";
import type { RotateFlags } from "./rotate_flags.ts";

/** Replaces the secret. */
export async function rotate(options: RotateFlags, context: Context): Promise<void> {
  if (options.prepare) return await prepare(options, context);
  const times = standbyTimes(options);
  // Checked for a dry run too, since a rotation with these flags would be refused.
  const notices = new RotationNotices(options, context);
  if (options.dryRun && times !== undefined) return await showNextStep(options, times, context);
  if (options.dryRun) return await dryRun(options, context);
  if (options.tellFailure) return await tellFailure(notices, context);
  // --activate was confirmed by --prepare; --force has another meaning there.
  const decided = options.force === true || options.activate === true;
  requireConfirmation(decided, await question(options, context), context.confirm);
  const make = () =>
    times === undefined
      ? rotateNow(options, notices, context)
      : takeNextStep(options, times, notices, context, rotateNow);
  const { at, reason } = options;
  await notices.telling(() =>
    at === undefined ? make() : announceAndMake(at, reason, notices, context, make)
  );
  await pruneIfAsked(context);
}

// A timer may be all that runs on this machine. The rotation stands, whatever happens here.
async function pruneIfAsked({ secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  if (!hasRetention(installation)) return;
  try {
    const { pruneByPolicy } = await import("../../secret/pruned_log.ts");
    const rows = await pruneByPolicy(installation);
    if (rows > 0) output.remark(`Removed ${numbered(rows, "old row")} of the audit log`);
  } catch (error) {
    output.warning(`the audit log was not pruned: ${asRefusal(error).message}`);
  }
}

async function rotateNow(
  options: RotateFlags,
  notices: RotationNotices,
  context: Context,
  permit?: (installation: Installation) => void,
): Promise<void> {
  const { secrets, auth } = context;
  // Refusals come before what an operator or a program does for it.
  const activate = options.activate ? await activation(options, context, permit) : undefined;
  const lastExpiry = options.grace > 0 ? await auth.lastExpiry() : null;
  await runBefore(options, notices, context);
  const { changed, outcomes } = await changeWithDeliveries(options, context, activate);
  // Notices come before the output, whose reader may be gone.
  if (changed.rotated) await notices.after(changed);
  const confirmation = await confirmed(secrets, options.wait);
  const stale = await staleProcesses(secrets);
  await reportRotation({ changed, outcomes, confirmation, stale, lastExpiry }, options, context);
  // Guarantee 4: a server on this machine may not know of it.
  mustBeFollowed(isFollowed(changed));
  if (hasLeft(changed)) refuseWait(options.wait);
  mustAllFollow(confirmation, outcomes);
  if (!changed.rotated && options.ifOlderThan !== undefined) {
    await requireReady(changed.version, notices, context);
  }
}

async function runBefore(
  options: RotateFlags,
  notices: RotationNotices,
  { secrets, store }: Context,
): Promise<void> {
  if (options.before === undefined) return;
  const plan = { store, ...conditionOf(options), ...wantedKey(options) };
  const { current, done } = await planRotation(await secrets.openFresh(), plan);
  if (!done) await notices.before(current);
}

async function changeWithDeliveries(
  options: RotateFlags,
  { secrets, store }: Context,
  activate: (() => Promise<Changed>) | undefined,
): Promise<DeliveredRotation> {
  const { reason, backup, force } = options;
  const graceMs = options.grace * 1000;
  const lockTimeoutMs = options.lockTimeout * 1000;
  // With --activate, --force does not wait for anything to confirm.
  const forceDeliveries = options.forceDeliveries ?? (options.activate && force);
  const how = { store, reason, graceMs, backup, lockTimeoutMs, forceDeliveries };
  const order = { ...how, ...wantedKey(options), ...conditionOf(options) };
  return await rotateWithDeliveries(secrets, order, { activate });
}

/** Called by systemd's OnFailure=. A rotation that failed by itself has sent its notice already. */
async function tellFailure(notices: RotationNotices, { output }: Context): Promise<void> {
  const [how, status] = [variable("MONITOR_EXIT_CODE"), variable("MONITOR_EXIT_STATUS")];
  const result = variable("MONITOR_SERVICE_RESULT") ?? "unknown";
  const told = how === "exited" && TOLD.includes(Number(status));
  if (!told) {
    const ending = how === undefined ? "" : `, ${how} with ${printable(status ?? "?")}`;
    await notices.failed(`the service ended early (${printable(result)}${ending})`);
  }
  output.result({ told: !told }, [
    told ? "The rotation has sent its own notice" : "Sent a notice of the failure",
  ]);
}

// Exit statuses of a rotation that has sent its own notice.
const TOLD = [1, 4, 5, 6];

// After leaving the fleet, this machine cannot wait for its servers.
function refuseWait(wait: number | undefined): void {
  if (wait === undefined) return;
  throw new RekeyError(
    "check_failed",
    "The change is made here, but --wait does not cover the fleet",
    {
      hint:
        "This machine has left the fleet; run `rekey rotate` on a member to end the old tokens there",
    },
  );
}

/** Conditions under which no rotation is needed. */
function conditionOf({ ifOlderThan, requestId }: RotateFlags) {
  return { ifOlderThanMs: ifOlderThan === undefined ? undefined : ifOlderThan * 1000, requestId };
}

async function question(options: RotateFlags, { auth, secrets }: Context): Promise<string> {
  if (options.force) return "";
  const app = secrets.environment.app.name;
  const sessions = await auth.activeSessions();
  const when = endOfSessions(options);
  const others = "tokens that programs sign by themselves end too, and are not counted";
  return `Rotate the JWT secret of ${app} (${others})? ${sessionsText(sessions)} active session${
    sessions === 1 ? " ends" : "s end"
  } ${when}.`;
}

function endOfSessions({ grace, at }: RotateFlags): string {
  if (at === undefined) return grace === 0 ? "now" : `in ${describeSeconds(grace)}`;
  return `${grace === 0 ? "at" : `${describeSeconds(grace)} after`} ${rfc3339(at)}`;
}

/** The key that the rotation would make. @throws {RekeyError} if these flags would be refused. */
async function nextKey(installation: Installation, options: RotateFlags) {
  const use = nextUse(installation, wantedKey(options));
  if (!options.forceDeliveries) {
    await mustKnowAlgorithm(installation, options.alg, options.grace > 0);
  }
  return { alg: use.alg, text: keyText(use.alg, use.keyForm, modulusBits(use.alg, use.bytes)) };
}

async function dryRun(options: RotateFlags, context: Context): Promise<void> {
  const { secrets, auth, output, store } = context;
  const app = secrets.environment.app.name;
  const opened = await secrets.openFresh();
  const condition = conditionOf(options);
  const plan = { store, ...condition, ...wantedKey(options) };
  const { current, location, done } = await planRotation(opened, plan);
  if (!done) await mustBeAbleToRotate(opened.installation, store);
  const next = await nextKey(opened.installation, options);
  const sessions = await auth.activeSessions();
  output.result({
    dry_run: true,
    app,
    location,
    alg: done ? current.alg : next.alg,
    previous_version: current.version,
    previous_kid: current.kid,
    sessions_active: sessions,
    sessions_counted: "issued by rekey",
    sessions_more: mayBeMore(sessions),
    reason: options.reason ?? null,
    ...done ? { rotated: false } : {},
  }, [
    done
      ? `Would do nothing: the secret is young enough${
        options.requestId === undefined ? "" : ", or the request was already carried out"
      }`
      : `${wouldReplace(current, `${placeName(location)} (${next.text})`, options)}; ` +
        `active sessions: ${countedSessions(sessions)}`,
  ]);
}

function wouldReplace({ version, kid, location }: Version, by: string, { grace }: RotateFlags) {
  const old = `version ${version} (kid ${kid}) in ${placeName(location)}`;
  const end = grace > 0
    ? `, version ${version} would verify for ${describeSeconds(grace)} more`
    : "";
  return `Would replace ${old} by a new one in ${by}${end}`;
}
