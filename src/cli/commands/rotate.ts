import { describeOutcomes, outcomesText, warnOfOutcomes } from "../deliveries_report.ts";
import { mustKnowAlgorithm, rotateWithDeliveries } from "../../deliver/rotation.ts";
import { placeName } from "../../core/location.ts";
import { showHead } from "../../audit/events.ts";
import { NEVER } from "../../store/sqlite/ended_sessions.ts";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { fromFuture, isAhead } from "../../secret/age.ts";
import type { Changed } from "../../secret/backend.ts";
import {
  remarkOnCaches,
  remarkOnDropped,
  remarkOnPlace,
  staleProcesses,
  warnOfHmac,
  warnOfHolders,
  warnOfRisk,
} from "../warnings.ts";
import { isFollowed, mustBeFollowed, warningsOf } from "../../cluster/change.ts";
import { isHmac, keyText, modulusBits } from "../../core/algorithms.ts";
import { mustBeAbleToRotate, planRotation } from "../../secret/next_rotation.ts";
import { nextUse } from "../../secret/next_use.ts";
import type { Installation } from "../../store/installation.ts";
import { announceAndMake, requireReady } from "../notices/announced_rotation.ts";
import { type Context, variable } from "../context.ts";
import { confirmed, describeConfirmation, mustAllFollow, warnOfOnePhase } from "../fleet_facts.ts";
import {
  countedSessions,
  describeSeconds,
  describeVersion,
  pairText,
  printable,
  sessionsText,
} from "../format.ts";
import { describeHolders } from "../../secret/holders.ts";
import type { Output } from "../output.ts";
import { type NoticeFlags, RotationNotices } from "../notices/rotation_notices.ts";
import { requireConfirmation } from "../terminal.ts";
import { type KeyFlags, wantedKey } from "../key_flags.ts";
import { prepare } from "./prepare.ts";
import { showNextStep, standbyTimes, takeNextStep } from "./next_step.ts";

/** Flags of `rekey rotate`. Durations in seconds. */
export interface RotateFlags extends NoticeFlags, KeyFlags {
  readonly grace: number;
  readonly dryRun?: boolean;
  /** Reports a scheduled rotation that ended without a notice; rotates nothing. */
  readonly tellFailure?: boolean;
  readonly lockTimeout: number;
  readonly ifOlderThan?: number;
  readonly requestId?: string;
  readonly backup?: boolean;
  readonly wait?: number;
  readonly prepare?: boolean;
  readonly activate?: boolean;
  /** With `ifOlderThan`: how long the next version is prepared before it is activated. */
  readonly standby?: number;
  /** Whether a program that does not follow stops nothing. */
  readonly forceDeliveries?: boolean;
  /** Milliseconds since the epoch. */
  readonly at?: number;
}

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
  if (installation.meta.get("audit_retention") === undefined) return;
  try {
    const { pruneByPolicy } = await import("../../secret/pruned_log.ts");
    const rows = await pruneByPolicy(installation);
    if (rows > 0) output.remark(`Removed ${rows} old rows of the audit log`);
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
  const { secrets, auth, output, store } = context;
  const lastExpiry = options.grace > 0 ? await auth.lastExpiry() : null;
  const condition = conditionOf(options);
  if (options.before !== undefined) {
    const { current, done } = await planRotation(await secrets.openFresh(), {
      ...{ store, ...condition },
      ...wantedKey(options),
    });
    if (!done) await notices.before(current);
  }
  const { reason, backup, force } = options;
  const graceMs = options.grace * 1000;
  const lockTimeoutMs = options.lockTimeout * 1000;
  // With --activate, --force does not wait for anything to confirm.
  const forceDeliveries = options.forceDeliveries ?? (options.activate && force);
  const activate = () =>
    secrets.underLock(
      (installation, backend, _turn, note) =>
        backend.activate(
          installation,
          { graceMs, force, backup, permit: () => permit?.(installation) },
          note,
        ),
      { waitMs: lockTimeoutMs },
    );
  const use = wantedKey(options);
  const how = { store, reason, graceMs, backup, lockTimeoutMs, forceDeliveries };
  const { changed, outcomes } = await rotateWithDeliveries(
    secrets,
    { ...how, ...use, ...condition },
    options.activate ? { activate } : {},
  );
  // Notices come before the output, whose reader may be gone.
  if (changed.rotated) await notices.after(changed);
  const confirmation = await confirmed(secrets, options.wait);
  const app = secrets.environment.app.name;
  const stale = await staleProcesses(secrets);
  output.result({
    ...describeVersion(app, changed.version),
    previous_version: changed.previous?.version ?? null,
    previous_kid: changed.previous?.kid ?? null,
    grace_until: changed.graceUntil === null ? null : rfc3339(changed.graceUntil),
    reason: changed.version.reason,
    ...changed.rotated ? {} : { rotated: false },
    audit_head: changed.head && showHead(changed.head),
    stale_processes: describeHolders(stale),
    ...describeConfirmation(confirmation),
    ...describeOutcomes(outcomes),
  }, [...human(app, changed), ...outcomesText(outcomes)]);
  if (changed.rotated && changed.head !== null) output.head(showHead(changed.head));
  warn(changed, lastExpiry, output);
  warnOfHolders(stale, output);
  warnOfOutcomes(outcomes, output);
  if (changed.rotated && graceMs > 0 && !options.activate) await warnOfOnePhase(secrets, output);
  warnOfHmac(changed, output);
  if (!options.activate) await remarkOnDropped(changed, context);
  if (!options.activate && graceMs > 0) await remarkOnCaches(changed, context);
  if (changed.rotated && condition.ifOlderThanMs !== undefined) warnOfClock(changed, output);
  await warnOfPlace(changed, context);
  // Guarantee 4: a server on this machine may not know of it.
  mustBeFollowed(isFollowed(changed));
  if (hasLeft(changed)) refuseWait(options.wait);
  mustAllFollow(confirmation, outcomes);
  if (!changed.rotated && options.ifOlderThan !== undefined) {
    await requireReady(changed.version, notices, context);
  }
}

async function warnOfPlace({ rotated, version }: Changed, context: Context): Promise<void> {
  if (rotated) await remarkOnPlace(version, context);
  await warnOfRisk(context);
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

function hasLeft({ version, previous }: Changed): boolean {
  return previous?.location === "etcd" && version.location !== "etcd";
}

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

function human(app: string, { rotated, version, previous, graceUntil }: Changed): string[] {
  const now = `version ${version.version} (kid ${version.kid}) in ${placeName(version.location)}`;
  if (!rotated) return [`Nothing to do: ${now} is young enough, or was made for this request`];
  const ended = graceUntil === null
    ? "no longer verifies: all sessions have ended"
    : `verifies until ${rfc3339(graceUntil)}`;
  return [
    `Rotated the JWT secret of ${app}: ${now}`,
    `Version ${previous?.version} (kid ${previous?.kid}) ${ended}`,
    ...isHmac(version.alg) ? [] : [pairText(version)],
  ];
}

function warn(changed: Changed, lastExpiry: number | null, output: Output) {
  const { rotated, graceUntil } = changed;
  if (rotated && graceUntil !== null && lastExpiry !== null && lastExpiry > graceUntil) {
    const until = lastExpiry === NEVER ? "the next rotation" : rfc3339(lastExpiry);
    output.warning(
      `the grace window is shorter than the longest session, which would have lasted until ${until}`,
    );
  }
  for (const text of warningsOf(changed)) output.warning(text);
  if (hasLeft(changed)) {
    output.warning(
      `this machine has left its fleet: the others continue with version ${
        changed.previous!.version
      }`,
    );
  }
}

function warnOfClock({ previous }: Changed, output: Output): void {
  if (previous === undefined || !isAhead(previous.created_at, Date.now())) return;
  output.warning(`${fromFuture(previous, rfc3339(previous.created_at))}; it counted as due`);
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
  const old = `version ${current.version} (kid ${current.kid}) in ${placeName(current.location)}`;
  const grace = options.grace > 0
    ? `, version ${current.version} would verify for ${describeSeconds(options.grace)} more`
    : "";
  output.result({
    dry_run: true,
    app,
    location,
    alg: done ? current.alg : next.alg,
    previous_version: current.version,
    previous_kid: current.kid,
    sessions_active: sessions,
    sessions_counted: "issued by rekey",
    reason: options.reason ?? null,
    ...done ? { rotated: false } : {},
  }, [
    done
      ? "Would do nothing: the secret is young enough, or the request was already carried out"
      : `Would replace ${old} by a new one in ${placeName(location)} (${next.text})${grace}; ` +
        `active sessions: ${countedSessions(sessions)}`,
  ]);
}
