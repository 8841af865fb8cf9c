import { type AuditRow, EVENTS } from "../audit/events.ts";
import { figures } from "../audit/figures.ts";
import { retrievalCounts } from "../audit/counts.ts";
import { auditPage } from "../audit/page.ts";
import { type AuditFilter, listAudit } from "../audit/reader.ts";
import { keyText, modulusBits } from "../core/algorithms.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Sql } from "../core/sql.ts";
import { type DeliveryFacts, describeDeliveries } from "../deliver/description.ts";
import { progressOf } from "../deliver/sync.ts";
import type { HostOperations } from "../http/host_operations.ts";
import { ageOf, isDue } from "../secret/age.ts";
import { describeGrace } from "../secret/grace.ts";
import { preparedFacts } from "../secret/prepared_facts.ts";
import { ofSameVersions, versionsMark } from "../secret/same_versions.ts";
import { describeHolders, staleHolders } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type SinkFacts, sinkFacts } from "../stream/lag.ts";
import { publicName } from "../stream/names.ts";
import type { Examinations } from "./examinations.ts";
import type { FleetView } from "./fleet_view.ts";
import { isWrong, statusFindings } from "./status_findings.ts";
import type { Managers } from "./server_context.ts";
import type { Settings } from "./settings.ts";

const AUDIT_ROWS = 20;
const ROTATIONS = 50;

/** What the server knows besides, without asking anyone. */
interface ServerKnowledge {
  readonly fleet: FleetView;
  readonly examinations: Examinations;
  /** The error code while the secret cannot be read. */
  readonly trouble: () => Promise<string | undefined>;
  /** End of the certificate in use, milliseconds since the epoch. */
  readonly certificateEnds: number | undefined;
}

type StatusAnswer = Awaited<ReturnType<HostOperations["status"]>>;

/** What the status page shows, but for the certificate. */
export async function statusOf(
  managers: Managers,
  settings: Settings,
  knowledge: ServerKnowledge,
): Promise<Omit<StatusAnswer, "certificate_expires_at">> {
  // First, since it takes longest: all else is as it is at the answer.
  const examined = await knowledge.examinations.recent();
  return await ofSameVersions(
    async () => versionsMark((await managers.secrets.open()).installation),
    () => look(managers, settings, knowledge, examined),
  );
}

async function look(
  { secrets, auth }: Managers,
  { maxAgeSeconds, version: rekey }: Settings,
  knowledge: ServerKnowledge,
  examined: Awaited<ReturnType<Examinations["recent"]>>,
): Promise<Omit<StatusAnswer, "certificate_expires_at">> {
  // As /readyz answers: what was examined may be a minute old.
  const trouble = await knowledge.trouble();
  const { installation, version } = await secrets.open();
  const [, ...grace] = await secrets.verifying();
  const now = installation.now();
  const about = versionFacts(installation, version, maxAgeSeconds);
  const followers = await followersOf(installation, knowledge.fleet);
  const findings = statusFindings({
    ...{ ...knowledge, trouble, ...laggingOf(followers), now },
    ...{ version: version.version, rotationDue: about.rotation_due },
  }, examined?.findings ?? []);
  return {
    app: secrets.environment.app.name,
    ...about,
    prepared: preparedFacts(installation),
    grace: grace.map(describeGrace),
    ...publicFollowers(followers),
    healthy: !findings.some(isWrong),
    findings,
    examined_at: examined === undefined ? null : rfc3339(examined.at),
    sessions_active: await auth.activeSessions(),
    ...installation.database.snapshot(() => figureFacts(installation.database)),
    rotations: rotationsOf(installation),
    audit: listAudit(installation.database, AUDIT_ROWS).map(publicRow).reverse(),
    rekey,
    time: rfc3339(now),
  };
}

function versionFacts(installation: Installation, version: Version, maxAgeSeconds: number) {
  const { kid, location, created_at, alg, key_form } = version;
  const age = ageOf(installation, version);
  const dueAt = age.isFromFuture ? installation.now() : created_at + maxAgeSeconds * 1000;
  const bits = modulusBits(alg, version.bytes);
  return {
    version: version.version,
    kid,
    location,
    created_at: rfc3339(created_at),
    age_seconds: age.seconds,
    created_in_future: age.isFromFuture,
    rotation_due: isDue(age, maxAgeSeconds),
    due_at: rfc3339(dueAt),
    alg,
    key_form,
    bits,
    tokens: keyText(alg, key_form, bits),
  };
}

function figureFacts(sql: Sql) {
  const { verifications, success_rate, fallback_rate } = figures(sql);
  const { keyring, database } = retrievalCounts(sql);
  return { success_rate, verifications, fallback_rate, retrievals: { keyring, database } };
}

type Followers = Awaited<ReturnType<typeof followersOf>>;

/** All that should follow a change. */
async function followersOf(installation: Installation, fleet: FleetView) {
  return {
    holders: staleHolders(installation),
    deliveries: describeDeliveries(installation, await progressOf(installation)),
    sinks: sinkFacts(installation).map(publicSink),
    fleet: fleet.last(installation),
  };
}

function publicFollowers({ holders, deliveries, sinks, fleet }: Followers) {
  return {
    stale_processes: describeHolders(holders),
    deliveries: deliveries.map(publicFacts),
    audit_sinks: sinks,
    fleet,
  };
}

/** Those that have not followed. */
function laggingOf({ holders, deliveries, sinks, fleet }: Followers) {
  const namesOf = (all: readonly { readonly name: string; readonly followed: boolean }[]) =>
    all.flatMap(({ name, followed }) => followed ? [] : [name]);
  return {
    holders,
    deliveriesBehind: namesOf(deliveries),
    serversBehind: namesOf(fleet?.members ?? []),
    sinksFailing: sinks.flatMap(({ sink, failed }) => failed ? [sink] : []),
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
