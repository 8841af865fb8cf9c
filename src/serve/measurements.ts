import { figures, retrievalCounts } from "../audit/figures.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Measured, Prometheus } from "../http/meters.ts";
import { knownFleet } from "../cluster/snapshot.ts";
import { ageOf, isDue } from "../secret/age.ts";
import type { SecretManager } from "../secret/manager.ts";
import { HOLDER_STATES, holdersOf } from "../secret/holders.ts";
import type { Installation } from "../store/installation.ts";
import type { Certificate } from "./certificate.ts";
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
