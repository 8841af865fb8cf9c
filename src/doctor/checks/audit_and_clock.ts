import { fallbackRate } from "../../audit/counts.ts";
import { listAudit } from "../../audit/reader.ts";
import { EVENTS } from "../../audit/events.ts";
import { verifyChain } from "../../audit/verify_chain.ts";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, isRekeyError } from "../../core/errors.ts";
import { whatLoggedOut } from "./logged_out.ts";
import { ageOf, fromFuture, isAhead, isDue } from "../../secret/age.ts";
import { keptHead } from "../../secret/keyring/reconcile.ts";
import { type Finding, type OpenDoctorContext, rekey, WITHOUT_LOGGING_OUT } from "../findings.ts";
import { readRetention } from "../../store/sqlite/retention.ts";
import { infoOf } from "../../system/files.ts";

const DAY_MS = 86_400_000;

/** Verifies the hash chain of the whole audit log. */
export async function auditCheck(context: OpenDoctorContext): Promise<Finding[]> {
  const { installation, onProgress } = context;
  const key = await installation.auditKey.read().catch(asRefusal);
  // Without the key the chain cannot be checked; the KEK check reports that.
  if (isRekeyError(key)) return [];
  const { head } = await keptHead(installation, installation.versions.current()!);
  const expected = head === null ? [] : [head];
  const { bad, rows } = verifyChain(installation.database, key, expected, onProgress);
  if (bad === null) return largeLog(context, rows);
  return [{
    code: "audit_broken",
    what: `The audit log is broken at row ${bad.seq}: ${bad.why}`,
    why: "Someone has changed or truncated it, or an older copy of the database was put back. " +
      "Keep a copy of the file before you restore a backup",
    command: rekey(context, "restore BACKUP --force"),
  }];
}

// A log of that size takes half a gigabyte, and seconds to verify.
const LARGE_ROWS = 1_000_000;

/** A log that has grown large and from which nothing is ever removed. @param rows how many it has. */
export function largeLog(context: OpenDoctorContext, rows: number): Finding[] {
  const { all, retrievals } = readRetention(context.installation.meta);
  if (rows < LARGE_ROWS || all !== undefined || retrievals !== undefined) return [];
  return [{
    code: "audit_large",
    what: `The audit log has ${rows} rows, and none is ever removed`,
    why: "It grows with each retrieval of the secret; a retention removes old rows, and the log " +
      "verifies as before",
    command: rekey(context, "policy set --audit-retention 400d --retrievals-retention 30d"),
  }];
}

/** Whether the clock is behind the newest record. */
export function clockCheck(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const [row] = listAudit(installation.database, 1);
  // Older records do not count: the clock may have been ahead when they were written.
  const newest = row === undefined
    ? installation.versions.current()!.created_at
    : Date.parse(row.time) || 0;
  if (!isAhead(newest, installation.now())) return [];
  return [{
    code: "clock_behind",
    what: `The clock says ${rfc3339(installation.now())}, but the newest record is of ${
      rfc3339(newest)
    }`,
    why:
      "One of the two is wrong: tokens expire, grace windows end and rotations fall due by this clock",
    command: infoOf("/run/systemd/system") === undefined
      ? "# set the clock of this machine"
      : "timedatectl set-ntp true",
  }];
}

/** Overdue rotations, a recent rotation that logged everyone out, and use of the sealed copy. */
export function rotationCheck(context: OpenDoctorContext): Finding[] {
  const findings = [...overdue(context), ...forgotten(context)];
  return [...findings, ...whatLoggedOut(context), ...fallbacks(context)];
}

// After that, whoever prepared a version has probably forgotten to activate it.
const STANDBY_MS = 7 * DAY_MS;

function forgotten(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const prepared = installation.versions.prepared();
  const since = prepared?.published_at ?? NaN;
  if (!(installation.now() - since > STANDBY_MS)) return [];
  return [{
    code: "standby_forgotten",
    what: `Version ${prepared!.version} has been prepared since ${
      rfc3339(since)
    } and signs nothing yet`,
    why:
      "Verifiers have it, and it is stored beside the current one: activate it, or drop it by a " +
      "rotation in one step",
    command: rekey(context, "rotate --activate --grace 1h"),
  }];
}

function overdue(context: OpenDoctorContext): Finding[] {
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
      ? `The clock was ahead when the version was made; it may be older than ${days} days without notice`
      : `A rotation is due after ${days} days`,
    command: rekey(context, WITHOUT_LOGGING_OUT),
  }];
}

// The rate covers the whole log; uses older than a week are not reported.
const RECENT_MS = 7 * DAY_MS;

function fallbacks(context: OpenDoctorContext): Finding[] {
  const { installation } = context;
  const rate = fallbackRate(installation.database) ?? 0;
  if (rate === 0 || installation.versions.current()!.location !== "keyring") return [];
  const [last] = listAudit(installation.database, 1, { is: EVENTS.retrievedAsFallback });
  if (last === undefined || last.time < rfc3339(installation.now() - RECENT_MS)) return [];
  return [{
    code: "fallback_used",
    what: `${
      (rate * 100).toFixed(1)
    } % of retrievals used the sealed copy instead of the keyring; the last one at ${last.time}`,
    why: "The keyring was locked or unavailable at those times; investigate if the share rises",
    command: rekey(context, "audit list --event fallback"),
  }];
}
