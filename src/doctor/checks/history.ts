import { fallbackRate } from "../../audit/figures.ts";
import { listAudit } from "../../audit/reader.ts";
import { EVENTS } from "../../audit/events.ts";
import { verifyChain } from "../../audit/chain.ts";
import { rfc3339 } from "../../core/clock.ts";
import { isRekeyError } from "../../core/errors.ts";
import { ageOf, CLOCK_TOLERANCE_MS, fromFuture, isAhead, isDue } from "../../secret/age.ts";
import { keptHead } from "../../secret/keyring/note.ts";
import type { Finding } from "../finding.ts";
import { infoOf } from "../../system/system.ts";
import { type OpenDoctorContext, rekey, WITHOUT_LOGGING_OUT } from "../context.ts";

const DAY_MS = 86_400_000;

/** The audit log's chain. Each row is looked at. */
export async function auditCheck(context: OpenDoctorContext): Promise<Finding[]> {
  const { installation, onProgress } = context;
  const key = await installation.auditKey().catch(unlessRefused);
  // Without its key nothing can be said of the chain, and that is a finding already.
  if (key === undefined) return [];
  const { head } = await keptHead(installation, installation.versions.current()!);
  const { bad } = verifyChain(installation.database, key, head === null ? [] : [head], onProgress);
  if (bad === null) return [];
  return [{
    code: "audit_broken",
    what: `The audit log is broken at row ${bad.seq}: ${bad.why}`,
    why: "Someone has changed or cut it off, or an older copy of the database was put back. " +
      "Keep a copy of the file before it is restored",
    command: rekey(context, "restore BACKUP --force"),
  }];
}

function unlessRefused(error: unknown): undefined {
  if (!isRekeyError(error)) throw error;
}

/** Whether the clock is behind what was written before. */
export function clockCheck(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const [row] = listAudit(installation.database, 1);
  // Of an older row, or of a version, that is not behind what was written since, the clock was ahead then.
  const newest = row === undefined
    ? installation.versions.current()!.created_at
    : Date.parse(row.time) || 0;
  if (!isAhead(newest, installation.now())) return [];
  return [{
    code: "clock_behind",
    what: `The clock says ${rfc3339(installation.now())}, and something was written at ${
      rfc3339(newest)
    }`,
    why:
      "One of the two is wrong: tokens expire, grace windows end and rotations fall due by this clock",
    command: infoOf("/run/systemd/system") === undefined
      ? "# set the clock of this machine"
      : "timedatectl set-ntp true",
  }];
}

/** Rotations: overdue, or the one that has just logged everybody out; and how often the copy had to serve. */
export function rotationCheck(context: OpenDoctorContext): Finding[] {
  return [...due(context), ...loggedOut(context), ...fallbacks(context)];
}

function due(context: OpenDoctorContext): Finding[] {
  const { installation, maxAgeMs } = context;
  const current = installation.versions.current()!;
  const age = ageOf(installation, current);
  if (!isDue(age, maxAgeMs / 1000)) return [];
  const days = Math.floor(maxAgeMs / DAY_MS);
  return [{
    code: "rotation_due",
    what: age.isFromFuture
      ? `The age is not known: ${fromFuture(current, rfc3339(current.created_at))}`
      : `Version ${current.version} is ${Math.floor(age.seconds * 1000 / DAY_MS)} days old`,
    why: age.isFromFuture
      ? `How old it is cannot be told, and ${days} days may be over before its time has come`
      : `A rotation is due after ${days} days`,
    command: rekey(context, WITHOUT_LOGGING_OUT),
  }];
}

function loggedOut(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const now = installation.now();
  // What the clock has put into the future is no news for as long as that lasts.
  const filter = {
    event: [EVENTS.rotationCompleted],
    since: now - DAY_MS,
    until: now + CLOCK_TOLERANCE_MS,
  };
  const row = listAudit(installation.database, 1, filter)[0];
  if (row === undefined || installation.versions.previous().length > 0) return [];
  const reason = row.reason === null ? "" : ` (${row.reason})`;
  return [{
    code: "sessions_ended",
    what:
      `The rotation to version ${row.version} at ${row.time} by ${row.actor}${reason} ended every session`,
    why: "If everybody was logged out, this is why: they log in again",
    command: rekey(context, "audit list --event rotation"),
  }];
}

// What is over for a week is history, and the rate counts from the beginning.
const RECENT_MS = 7 * DAY_MS;

function fallbacks(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const rate = fallbackRate(installation.database) ?? 0;
  if (rate === 0 || installation.versions.current()!.location !== "keyring") return [];
  const filter = { event: [EVENTS.retrievedAsFallback], since: installation.now() - RECENT_MS };
  const [last] = listAudit(installation.database, 1, filter);
  if (last === undefined) return [];
  return [{
    code: "fallback_used",
    what: `${
      (rate * 100).toFixed(1)
    } % of retrievals were answered by the sealed copy, not the keyring; the last one at ${last.time}`,
    why: "The keyring was locked or away at those times; investigate when the share rises",
    command: rekey(context, "audit list --event fallback"),
  }];
}
