import { type AuditRow, EVENTS } from "../audit/events.ts";
import { figures, retrievalCounts } from "../audit/figures.ts";
import { listAudit } from "../audit/reader.ts";
import { rfc3339 } from "../core/clock.ts";
import { isRekeyError } from "../core/errors.ts";
import type { HostOperations } from "../http/host_operations.ts";
import type { Measured, Prometheus } from "../http/meters.ts";
import { knownFleet } from "../store/known_cluster.ts";
import { ageOf, isDue } from "../secret/age.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed } from "../secret/rotation.ts";
import { describeHolders, HOLDER_STATES, holdersOf, staleHolders } from "../secret/holders.ts";
import type { Installation } from "../store/installation.ts";
import type { Certificate } from "./certificate.ts";
import type { Managers } from "./context.ts";
import type { Settings } from "./settings.ts";

/** All threads' metrics together with what the database knows, in Prometheus' text format. */
export async function expose(
  library: Prometheus,
  threads: readonly Measured[],
  secrets: SecretManager,
  settings: Settings,
  certificate: Certificate | undefined,
): Promise<string> {
  const own = new library.Registry();
  const gauge = (name: string, help: string, labels: Record<string, string>, value: number) =>
    new library.Gauge({ name, help, labelNames: Object.keys(labels), registers: [own] })
      .set(labels, value);
  const { deno } = Deno.version;
  gauge("rekey_build_info", "1, with the versions", { version: settings.version, deno }, 1);
  if (certificate !== undefined) {
    const help = "When the certificate that it serves with ends, in seconds since the epoch";
    gauge("rekey_tls_certificate_expiry_timestamp_seconds", help, {}, certificate.notAfter / 1000);
  }
  const available = await ofSecret(library, own, gauge, secrets, settings);
  gauge("rekey_database_readable", "1 when the database can be read", {}, available ? 1 : 0);
  const all = [...threads, await own.getMetricsAsJSON() as Measured];
  return await library.AggregatorRegistry.aggregate(all).metrics();
}

type Gauge = (name: string, help: string, labels: Record<string, string>, value: number) => void;

/** How many processes that `exec` started hold which kind of version. */
function ofHolders(
  { Gauge }: Prometheus,
  own: InstanceType<Prometheus["Registry"]>,
  installation: Installation,
): void {
  const help = "Running processes that exec has started, by what their version is worth";
  const name = "rekey_exec_processes";
  const gauge = new Gauge({ name, help, labelNames: ["state"], registers: [own] });
  const holders = holdersOf(installation);
  for (const state of HOLDER_STATES) {
    gauge.set({ state }, holders.filter((holder) => holder.state === state).length);
  }
}

async function ofSecret(
  library: Prometheus,
  own: InstanceType<Prometheus["Registry"]>,
  gauge: Gauge,
  secrets: SecretManager,
  { maxAgeSeconds }: Settings,
): Promise<boolean> {
  const { Counter } = library;
  try {
    secrets.refresh();
    const { installation, version } = await secrets.open();
    const { database } = installation;
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers: [own] });
    const { keyring, database: fromDatabase, fallbacks } = retrievalCounts(database);
    const retrievals = counter("rekey_retrievals_total", "Retrieved values by location", [
      "location",
    ]);
    retrievals.inc({ location: "keyring" }, keyring);
    retrievals.inc({ location: "database" }, fromDatabase);
    counter("rekey_fallbacks_total", "Retrievals that a sealed copy answered for the keyring")
      .inc(fallbacks);
    counter("rekey_rotations_total", "Completed rotations").inc(figures(database).rotations);
    const age = ageOf(installation, version);
    gauge("rekey_current_version", "Number of the current version", {}, version.version);
    gauge("rekey_current_version_age_seconds", "Age of the current version", {}, age.seconds);
    gauge("rekey_rotation_due", "1 when a rotation is due", {}, isDue(age, maxAgeSeconds) ? 1 : 0);
    const ahead = "1 when the current version was made in the future: the clock was ahead";
    gauge("rekey_current_version_in_future", ahead, {}, age.isFromFuture ? 1 : 0);
    ofHolders(library, own, installation);
    const fleet = knownFleet(installation.meta);
    if (fleet === undefined) return true;
    gauge("rekey_fleet_change", "Change of the shared state that it goes by", {}, fleet.change);
    const staleness = secrets.environment.freshness?.age() ?? Infinity;
    const help = "Seconds since etcd has last confirmed that nothing has changed";
    gauge("rekey_fleet_staleness_seconds", help, {}, staleness / 1000);
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

const AUDIT_ROWS = 20;
const ROTATIONS = 50;

/** What the status page shows of the secret. */
export async function statusOf(
  { secrets, auth }: Managers,
  { maxAgeSeconds, version: rekey }: Settings,
): Promise<Omit<Awaited<ReturnType<HostOperations["status"]>>, "certificate_expires_at">> {
  const { installation, version } = await secrets.open();
  const [, ...grace] = await secrets.verifying();
  const { database, versions, algorithm, keyForm } = installation;
  const { verifications, success_rate, fallback_rate } = figures(database);
  const { keyring, database: fromDatabase } = retrievalCounts(database);
  const now = installation.now();
  const age = ageOf(installation, version);
  const dueAt = age.isFromFuture ? now : version.created_at + maxAgeSeconds * 1000;
  return {
    app: secrets.environment.app.name,
    version: version.version,
    kid: version.kid,
    location: version.location,
    created_at: rfc3339(version.created_at),
    age_seconds: age.seconds,
    created_in_future: age.isFromFuture,
    rotation_due: isDue(age, maxAgeSeconds),
    due_at: rfc3339(dueAt),
    alg: algorithm,
    key_form: keyForm,
    grace: grace.map((row) => ({
      version: row.version,
      kid: row.kid,
      until: rfc3339(row.grace_until ?? 0),
    })),
    stale_processes: describeHolders(staleHolders(installation)),
    sessions_active: await auth.activeSessions(),
    success_rate,
    verifications,
    fallback_rate,
    retrievals: { keyring, database: fromDatabase },
    rotations: versions.rotatedIn(ROTATIONS).map((row) => ({
      time: rfc3339(row.activated_at ?? 0),
      version: row.version,
      reason: row.reason,
    })).reverse(),
    audit: listAudit(database, AUDIT_ROWS).map(forEverybody).reverse(),
    rekey,
    time: rfc3339(now),
  };
}

/** What a rotation over HTTP answers: the fields of `rotate --json` (design §7). */
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
    key_form: version.key_form,
    previous_version: previous?.version ?? null,
    previous_kid: previous?.kid ?? null,
    grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    reason: version.reason,
    rotated,
  };
}

// The page has no login: whoever reaches it need not know who the users are.
function forEverybody({ hash: _, ...row }: AuditRow) {
  return ABOUT_USERS.includes(row.event) ? { ...row, reason: null } : row;
}

const ABOUT_USERS: readonly string[] = [
  EVENTS.userAdded,
  EVENTS.userRemoved,
  EVENTS.passwordChanged,
  EVENTS.sessionsRevoked,
];
