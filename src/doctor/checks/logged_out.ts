import { rfc3339 } from "../../core/clock.ts";
import { type AuditRow, ENDS, EVENTS } from "../../audit/events.ts";
import { listAudit } from "../../audit/reader.ts";
import { CLOCK_TOLERANCE_MS } from "../../secret/age.ts";
import { type Revived, revivedIn } from "../../secret/revived.ts";
import type { Installation } from "../../store/installation.ts";
import { type Finding, type OpenDoctorContext, rekey } from "../findings.ts";

const DAY_MS = 86_400_000;

// More than the prepared versions that are dropped in a day.
const SOME_ROWS = 100;

/**
 * What has logged everyone out in the last day: a rotation, `revoke` or the end of a grace window. Or that a restoration
 * has brought back what such a rotation had ended.
 */
export function whatLoggedOut(context: OpenDoctorContext): Finding[] {
  // A rotation that commits between the looks would be in the log without its grace window.
  return context.installation.database.snapshot(() => loggedOutBy(context));
}

function loggedOutBy(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const revived = revivedIn(installation);
  if (revived !== undefined) return [revivedFinding(context, revived)];
  if (installation.versions.previous().length > 0) return [];
  const end = lastEnd(installation);
  if (end === undefined) return [];
  const event = end.event === EVENTS.retired ? "retired" : "rotation";
  return [{
    code: "sessions_ended",
    what: endText(end, installation.versions.current()!.version),
    why: "If users were logged out, this is why; they can log in again",
    command: rekey(context, `audit list --event ${event}`),
  }];
}

function revivedFinding(context: OpenDoctorContext, { version, by }: Revived): Finding {
  const { database } = context.installation;
  const [restored] = listAudit(database, 1, { is: EVENTS.restored });
  const ended = by === undefined ? "" : ` at ${rfc3339(by.activated_at!)}`;
  const why = by?.reason ? ` (${by.reason})` : "";
  const since = restored === undefined ? "" : `, since the restoration at ${restored.time}`;
  return {
    code: "secret_revived",
    what:
      `Version ${version.version}, which was rotated away${ended}${why}, verifies again${since}`,
    why: "Its old tokens are accepted, and whoever has its secret can make new ones: if it has " +
      "leaked, a rotation must end it again",
    command: rekey(context, "rotate --force"),
  };
}

function lastEnd(installation: Installation): AuditRow | undefined {
  const { database, versions } = installation;
  const now = installation.now();
  // Ignores rows with a time in the future.
  const recent = { since: now - DAY_MS, until: now + CLOCK_TOLERANCE_MS };
  const rotation = listAudit(database, 1, { is: EVENTS.rotationCompleted, ...recent })[0];
  // A prepared version had no session, and the row of a rotation is about those that it ends.
  const retired = listAudit(database, SOME_ROWS, { is: EVENTS.retired, ...recent })
    .findLast(({ reason, version }) =>
      reason !== ENDS.rotatedAway &&
      (versions.byNumber(version ?? 0)?.activated_at ?? null) !== null
    );
  if (rotation === undefined || retired === undefined) return rotation ?? retired;
  return retired.seq > rotation.seq ? retired : rotation;
}

function endText({ event, version, time, actor, reason }: AuditRow, current: number): string {
  const why = reason === null ? "" : ` (${reason})`;
  if (event !== EVENTS.retired) {
    return `Every session from before the rotation to version ${version} at ${time} by ${actor}${why} has ended`;
  }
  const how = {
    [ENDS.revoked]: `${actor} revoked version ${version} at ${time}`,
    [ENDS.graceOver]: `the grace window of version ${version} was over at ${time}`,
  }[reason ?? ""] ?? `version ${version} was retired at ${time}${why}`;
  return `Every session from before version ${current} has ended: ${how}`;
}
