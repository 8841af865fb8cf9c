import { type AuditRow, EVENTS } from "../audit/events.ts";
import { figures, retrievalCounts } from "../audit/figures.ts";
import { auditPage } from "../audit/page.ts";
import { type AuditFilter, listAudit } from "../audit/reader.ts";
import { keyText, modulusBits } from "../core/algorithms.ts";
import { rfc3339 } from "../core/clock.ts";
import { type DeliveryFacts, describeDeliveries } from "../deliver/description.ts";
import { progressOf } from "../deliver/sync.ts";
import type { HostOperations } from "../http/host_operations.ts";
import { ageOf, isDue } from "../secret/age.ts";
import { preparedFacts } from "../secret/prepared_facts.ts";
import { describeHolders, staleHolders } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { type SinkFacts, sinkFacts } from "../stream/lag.ts";
import { publicName } from "../stream/names.ts";
import type { Examinations } from "./examinations.ts";
import type { FleetView } from "./fleet_view.ts";
import { isWrong, statusFindings } from "./status_findings.ts";
import type { Managers } from "./server.ts";
import type { Settings } from "./settings.ts";

const AUDIT_ROWS = 20;
const ROTATIONS = 50;

/** What the server knows besides, without asking anyone. */
interface ServerKnowledge {
  readonly fleet: FleetView;
  readonly examinations: Examinations;
  /** The error code while the secret cannot be read. */
  readonly trouble: string | undefined;
  /** End of the certificate in use, milliseconds since the epoch. */
  readonly certificateEnds: number | undefined;
}

type StatusAnswer = Awaited<ReturnType<HostOperations["status"]>>;

/** What the status page shows, but for the certificate. */
export async function statusOf(
  { secrets, auth }: Managers,
  { maxAgeSeconds, version: rekey }: Settings,
  knowledge: ServerKnowledge,
): Promise<Omit<StatusAnswer, "certificate_expires_at">> {
  const { installation, version } = await secrets.open();
  const [, ...grace] = await secrets.verifying();
  const { database } = installation;
  const { verifications, success_rate, fallback_rate } = figures(database);
  const { keyring, database: fromDatabase } = retrievalCounts(database);
  const now = installation.now();
  const age = ageOf(installation, version);
  const dueAt = age.isFromFuture ? now : version.created_at + maxAgeSeconds * 1000;
  const rotationDue = isDue(age, maxAgeSeconds);
  const holders = staleHolders(installation);
  const deliveries = describeDeliveries(installation, await progressOf(installation));
  const sinks = sinkFacts(installation).map(publicSink);
  const fleet = knowledge.fleet.last(installation);
  const examined = knowledge.examinations.last();
  const findings = statusFindings({
    ...knowledge,
    version: version.version,
    rotationDue,
    deliveriesBehind: deliveries.flatMap(({ name, followed }) => followed ? [] : [name]),
    holders,
    serversBehind: (fleet?.members ?? []).flatMap(({ name, followed }) => followed ? [] : [name]),
    sinksFailing: sinks.flatMap(({ sink, failed }) => failed ? [sink] : []),
    now,
  }, examined?.findings ?? []);
  return {
    app: secrets.environment.app.name,
    version: version.version,
    kid: version.kid,
    location: version.location,
    created_at: rfc3339(version.created_at),
    age_seconds: age.seconds,
    created_in_future: age.isFromFuture,
    rotation_due: rotationDue,
    due_at: rfc3339(dueAt),
    alg: version.alg,
    key_form: version.key_form,
    bits: modulusBits(version.alg, version.bytes),
    tokens: keyText(version.alg, version.key_form, modulusBits(version.alg, version.bytes)),
    prepared: preparedFacts(installation),
    grace: grace.map((row) => ({
      version: row.version,
      kid: row.kid,
      alg: row.alg,
      until: rfc3339(row.grace_until ?? 0),
    })),
    stale_processes: describeHolders(holders),
    deliveries: deliveries.map(publicFacts),
    audit_sinks: sinks,
    fleet,
    healthy: !findings.some(isWrong),
    findings,
    examined_at: examined === undefined ? null : rfc3339(examined.at),
    sessions_active: await auth.activeSessions(),
    success_rate,
    verifications,
    fallback_rate,
    retrievals: { keyring, database: fromDatabase },
    rotations: rotationsOf(installation),
    audit: listAudit(database, AUDIT_ROWS).map(publicRow).reverse(),
    rekey,
    time: rfc3339(now),
  };
}

/** The newest rotations, oldest first. */
function rotationsOf({ database, versions }: Installation): StatusAnswer["rotations"] {
  const rows = listAudit(database, ROTATIONS, { is: EVENTS.rotationCompleted });
  const actors = new Map(rows.map(({ version, actor }) => [version, actor]));
  return versions.rotatedIn(ROTATIONS).map((row) => ({
    time: rfc3339(row.activated_at ?? 0),
    version: row.version,
    reason: row.reason,
    actor: actors.get(row.version) ?? null,
  })).reverse();
}

/** A page of the audit log, newest first, with what the status page may show of it. */
export function publicAudit(
  { database }: Installation,
  filter: AuditFilter,
): Awaited<ReturnType<HostOperations["audit"]>> {
  const { rows, before } = auditPage(database, filter);
  return { rows: rows.map(publicRow).reverse(), before };
}

/** The response to a rotation over HTTP: the fields of `rotate --json`. */
export function rotationAnswer(
  secrets: SecretManager,
  { rotated, version, previous, graceUntil }: Changed,
): Awaited<ReturnType<HostOperations["rotate"]>> {
  return {
    app: secrets.environment.app.name,
    version: version.version,
    kid: version.kid,
    location: version.location,
    created_at: rfc3339(version.created_at),
    alg: version.alg,
    key_form: version.key_form,
    previous_version: previous?.version ?? null,
    previous_kid: previous?.kid ?? null,
    grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    reason: version.reason,
    rotated,
  };
}

function publicFacts({ name, version, followed, lag_seconds }: DeliveryFacts) {
  return { name, version, followed, lag_seconds };
}

function publicSink({ sink, lag_rows, lag_seconds, error }: SinkFacts) {
  return { sink: publicName(sink), lag_rows, lag_seconds, failed: error !== null };
}

// The page has no login, so it shows neither user names nor paths and messages of other programs.
function publicRow({ hash: _, ...row }: AuditRow) {
  return CONFIDENTIAL.includes(row.event) ? { ...row, reason: null } : row;
}

const CONFIDENTIAL: readonly string[] = [
  EVENTS.userAdded,
  EVENTS.userRemoved,
  EVENTS.passwordChanged,
  EVENTS.sessionsRevoked,
  EVENTS.deliveryAdded,
  EVENTS.deliveryRemoved,
  EVENTS.deliveryFailed,
];
