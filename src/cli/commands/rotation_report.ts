import { describeOutcomes, outcomesText, warnOfOutcomes } from "../deliveries_report.ts";
import { warningsOf } from "../../secret/followed.ts";
import { isHmac } from "../../core/algorithms.ts";
import { rfc3339 } from "../../core/clock.ts";
import { placeName } from "../../core/location.ts";
import { showHead } from "../../audit/events.ts";
import type { DeliveredRotation } from "../../deliver/rotation.ts";
import { fromFuture, isAhead } from "../../secret/age.ts";
import type { Changed } from "../../secret/backend.ts";
import { describeHolders, type StaleHolder } from "../../secret/holders.ts";
import { NEVER } from "../../store/sqlite/ended_sessions.ts";
import type { Context } from "../context.ts";
import { type Confirmation, describeConfirmation } from "../confirmation.ts";
import { describeVersion, pairText } from "../format.ts";
import type { Output } from "../output.ts";
import { warnOfHolders } from "../stale_processes.ts";
import {
  remarkOnCaches,
  remarkOnDropped,
  remarkOnKeptKeys,
  remarkOnPlace,
  warnOfHmac,
  warnOfRisk,
} from "../warnings.ts";
import type { RotateFlags } from "./rotate_flags.ts";

/** A rotation or activation, and all that is printed about it. */
export interface ReportedRotation extends DeliveredRotation {
  readonly confirmation: Confirmation;
  /** Processes that hold an older version. */
  readonly stale: readonly StaleHolder[];
  /** When the longest session would have ended, in milliseconds since the epoch; `null` if there is none, or no grace. */
  readonly lastExpiry: number | null;
}

/** Prints what a rotation or activation has done, and warns of what it means for others. */
export async function reportRotation(
  rotation: ReportedRotation,
  options: RotateFlags,
  context: Context,
): Promise<void> {
  const { changed, outcomes, stale, lastExpiry } = rotation;
  const { output } = context;
  printResult(rotation, options, context);
  if (changed.rotated && changed.head !== null) output.head(showHead(changed.head));
  warn(changed, lastExpiry, output);
  warnOfHolders(stale, output);
  warnOfOutcomes(outcomes, output);
  warnOfHmac(changed, output);
  if (!options.activate) await remarkOnOnePhase(changed, options.grace > 0, context);
  if (options.ifOlderThan !== undefined) warnOfClock(changed, output);
  if (changed.rotated) await remarkOnPlace(changed.version, context);
  await warnOfRisk(context);
}

function printResult(
  { changed, outcomes, confirmation, stale }: ReportedRotation,
  { activate }: RotateFlags,
  { secrets, output }: Context,
): void {
  const app = secrets.environment.app.name;
  const { version, previous, graceUntil, head } = changed;
  output.result({
    ...describeVersion(app, version),
    previous_version: previous?.version ?? null,
    previous_kid: previous?.kid ?? null,
    grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    reason: version.reason,
    ...changed.rotated ? {} : { rotated: false },
    audit_head: head && showHead(head),
    stale_processes: describeHolders(stale),
    ...describeConfirmation(confirmation),
    ...describeOutcomes(outcomes),
  }, [...human(app, changed, activate ?? false), ...outcomesText(outcomes)]);
}

// What a rotation in two phases would have avoided.
async function remarkOnOnePhase(
  changed: Changed,
  isGraceful: boolean,
  context: Context,
): Promise<void> {
  const { rotated, version, graceUntil, previous } = changed;
  if (rotated && isGraceful && version.location === "etcd") await remarkOnOthers(context);
  if (rotated) await remarkOnDropped(version, previous?.version, context);
  if (isGraceful) await remarkOnCaches(changed, context);
  if (rotated && graceUntil === null && previous) await remarkOnKeptKeys([previous], context);
}

async function remarkOnOthers({ secrets: { opened }, output }: Context): Promise<void> {
  if (opened === undefined) return;
  const { warnOfOnePhase } = await import("../fleet_facts.ts");
  await warnOfOnePhase(opened, output);
}

/** Whether the rotation has taken this machine out of its fleet. */
export function hasLeft({ version, previous }: Changed): boolean {
  return previous?.location === "etcd" && version.location !== "etcd";
}

function human(
  app: string,
  { rotated, version, previous, graceUntil }: Changed,
  isActivation: boolean,
): string[] {
  const now = `version ${version.version} (kid ${version.kid}) in ${placeName(version.location)}`;
  if (!rotated && isActivation) return [`Already active: ${now}`];
  const request = version.request_id === null ? "" : ", or was made for this request";
  if (!rotated) return [`Nothing to do: ${now} is young enough${request}`];
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

function warnOfClock({ rotated, previous }: Changed, output: Output): void {
  if (!rotated || previous === undefined || !isAhead(previous.created_at, Date.now())) return;
  output.warning(`${fromFuture(previous, rfc3339(previous.created_at))}; it counted as due`);
}
