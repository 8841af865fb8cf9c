import type { MetricObjectWithValues, MetricValue } from "prom-client";
import { figures, retrievalCounts } from "../audit/figures.ts";
import { isRekeyError } from "../core/errors.ts";
import { progressOf } from "../deliver/sync.ts";
import type { Served } from "../http/app.ts";
import { ageOf, isDue } from "../secret/age.ts";
import { HOLDER_STATES, holdersOf } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { sinkFacts } from "../stream/lag.ts";
import { publicName } from "../stream/names.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import type { Certificate } from "./certificate.ts";
import type { Settings } from "./settings.ts";

/** The metrics of one request thread, as prom-client's `getMetricsAsJSON` returns them. */
export type ThreadMetrics = MetricObjectWithValues<MetricValue<string>>[];

// From the time of a cached verification to the longest that Envoy waits, and beyond.
const BUCKETS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.2, 1, 5];

/** Counts by name. A call costs one look into a map. */
class Counts<Name> {
  readonly #all = new Map<Name, { count: number }>();

  add(name: Name): void {
    const known = this.#all.get(name);
    if (known === undefined) this.#all.set(name, { count: 1 });
    else known.count++;
  }

  entries(): [Name, number][] {
    return [...this.#all].map(([name, { count }]) => [name, count]);
  }
}

/** Durations of a route's responses. */
interface Durations {
  readonly statuses: Counts<number>;
  /** Responses per bucket, not cumulative; the last bucket has no upper bound. */
  readonly buckets: number[];
  seconds: number;
}

/**
 * What one request thread counts. Labels are routes, statuses and codes: nothing that a client can choose. It runs for
 * every request, so it only counts; prom-client is loaded when the metrics are requested.
 */
export class RequestMetrics {
  readonly #verifications = new Counts<string>();
  readonly #routes = new Map<string, Durations>();
  // How many verifications were taken before, by result.
  readonly #taken = new Map<string, number>();

  /** @param result `valid`, or the code of the error. */
  verified(result: string): void {
    this.#verifications.add(result);
  }

  /** How many verifications there were since the last call, by result. */
  takeVerdicts(): Map<string, number> {
    const all = this.#verifications.entries();
    const fresh = all.map(([result, count]) => {
      return [result, count - (this.#taken.get(result) ?? 0)] as const;
    });
    all.forEach(([result, count]) => this.#taken.set(result, count));
    return new Map(fresh.filter(([, count]) => count > 0));
  }

  served({ route, status, milliseconds }: Served): void {
    let durations = this.#routes.get(route);
    if (durations === undefined) {
      const buckets = Array(BUCKETS_SECONDS.length + 1).fill(0);
      this.#routes.set(route, durations = { statuses: new Counts(), buckets, seconds: 0 });
    }
    const seconds = milliseconds / 1000;
    let bucket = 0;
    while (seconds > BUCKETS_SECONDS[bucket]!) bucket++;
    durations.buckets[bucket]!++;
    durations.seconds += seconds;
    durations.statuses.add(status);
  }

  json(): ThreadMetrics {
    const results = this.#verifications.entries()
      .map(([result, value]) => ({ labels: { result }, value }));
    const responses = [...this.#routes].flatMap(([route, { statuses }]) =>
      statuses.entries().map(([status, value]) => ({ labels: { route, status }, value }))
    );
    const durations = [...this.#routes].flatMap(([route, all]) => histogram(DURATION, route, all));
    return [
      metric("rekey_verifications_total", VERIFICATIONS_HELP, "counter", results),
      metric("rekey_http_requests_total", "Answered requests", "counter", responses),
      metric(DURATION, "Time from a request's arrival to its answer", "histogram", durations),
    ];
  }
}

const VERIFICATIONS_HELP = "Verified tokens by result: valid, or the error code";
const DURATION = "rekey_http_request_duration_seconds";

function metric(name: string, help: string, type: "counter" | "histogram", values: unknown[]) {
  return { name, help, type, values, aggregator: "sum" } as unknown as ThreadMetrics[number];
}

// The buckets of Prometheus are cumulative.
function histogram(name: string, route: string, { buckets, seconds }: Durations) {
  let count = 0;
  const counts = buckets.map((own, index) => ({
    labels: { le: BUCKETS_SECONDS[index] ?? "+Inf", route },
    value: count += own,
    metricName: `${name}_bucket`,
  }));
  return [
    ...counts,
    { labels: { route }, value: seconds, metricName: `${name}_sum` },
    { labels: { route }, value: count, metricName: `${name}_count` },
  ];
}

/** The metrics of all threads and of the database, in Prometheus' text format. */
export async function exposeMetrics(
  threads: readonly ThreadMetrics[],
  secrets: SecretManager,
  settings: Settings,
  certificate: Certificate | undefined,
): Promise<string> {
  const { default: library } = await import("prom-client");
  const own = new OwnMetrics(library);
  const { deno } = Deno.version;
  own.gauge("rekey_build_info", "1, with the versions", [1, { version: settings.version, deno }]);
  if (certificate !== undefined) {
    const help = "Expiry of the certificate in use, in seconds since the epoch";
    const name = "rekey_tls_certificate_expiry_timestamp_seconds";
    own.gauge(name, help, [certificate.notAfter / 1000]);
  }
  const isReadable = await addSecretMetrics(own, secrets, settings);
  own.gauge("rekey_database_readable", "1 when the database can be read", [isReadable ? 1 : 0]);
  const all = [...threads, await own.registry.getMetricsAsJSON() as ThreadMetrics];
  return await library.AggregatorRegistry.aggregate(all).metrics();
}

type Prometheus = typeof import("prom-client");
type Sample = [value: number, labels?: Record<string, string>];

/** The metrics of the main thread. All samples of a metric have the same label names. */
class OwnMetrics {
  readonly registry: InstanceType<Prometheus["Registry"]>;

  constructor(private readonly library: Prometheus) {
    this.registry = new library.Registry();
  }

  gauge(name: string, help: string, ...samples: Sample[]): void {
    const gauge = new this.library.Gauge(this.#options(name, help, samples));
    for (const [value, labels = {}] of samples) gauge.set(labels, value);
  }

  counter(name: string, help: string, ...samples: Sample[]): void {
    const counter = new this.library.Counter(this.#options(name, help, samples));
    for (const [value, labels = {}] of samples) counter.inc(labels, value);
  }

  #options(name: string, help: string, [first]: Sample[]) {
    return { name, help, labelNames: Object.keys(first?.[1] ?? {}), registers: [this.registry] };
  }
}

/** @returns whether the database can be read. */
async function addSecretMetrics(
  own: OwnMetrics,
  secrets: SecretManager,
  { maxAgeSeconds }: Settings,
): Promise<boolean> {
  try {
    secrets.refresh();
    const { installation, version } = await secrets.open();
    const { database } = installation;
    const { keyring, database: fromDatabase, fallbacks } = retrievalCounts(database);
    own.counter(
      "rekey_retrievals_total",
      "Retrieved values by location",
      [keyring, { location: "keyring" }],
      [fromDatabase, { location: "database" }],
    );
    const fallbacksHelp = "Retrievals that used the sealed copy in place of the keyring";
    own.counter("rekey_fallbacks_total", fallbacksHelp, [fallbacks]);
    own.counter("rekey_rotations_total", "Completed rotations", [figures(database).rotations]);
    const age = ageOf(installation, version);
    own.gauge("rekey_current_version", "Number of the current version", [version.version]);
    const ageHelp = "Age of the current version";
    own.gauge("rekey_current_version_age_seconds", ageHelp, [age.seconds]);
    const due = isDue(age, maxAgeSeconds) ? 1 : 0;
    own.gauge("rekey_rotation_due", "1 when a rotation is due", [due]);
    const futureHelp = "1 when the current version was made in the future: the clock was ahead";
    own.gauge("rekey_current_version_in_future", futureHelp, [age.isFromFuture ? 1 : 0]);
    const holders = holdersOf(installation);
    own.gauge(
      "rekey_exec_processes",
      "Running processes that exec started, by the state of their version",
      ...HOLDER_STATES.map((state): Sample => [
        holders.filter((holder) => holder.state === state).length,
        { state },
      ]),
    );
    const deliveries = await progressOf(installation);
    own.gauge(
      "rekey_deliveries",
      "Programs that get keys, by whether they have followed",
      [deliveries.filter(({ isUpToDate }) => isUpToDate).length, { state: "followed" }],
      [deliveries.filter(({ isUpToDate }) => !isUpToDate).length, { state: "behind" }],
    );
    addSinkMetrics(own, installation);
    const fleet = knownFleet(installation.meta);
    if (fleet === undefined) return true;
    own.gauge(
      "rekey_fleet_change",
      "Number of the last change of the shared state that this machine has",
      [fleet.change],
    );
    const staleness = (secrets.environment.freshness?.age() ?? Infinity) / 1000;
    const stalenessHelp = "Seconds since etcd last confirmed that nothing has changed";
    own.gauge("rekey_fleet_staleness_seconds", stalenessHelp, [staleness]);
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

function addSinkMetrics(own: OwnMetrics, installation: Installation): void {
  const facts = sinkFacts(installation);
  if (facts.length === 0) return;
  // Names without folders may be the same: the one that is further behind counts.
  const samples = (key: "lag_rows" | "lag_seconds") => {
    const most = new Map<string, number>();
    for (const one of facts) {
      const name = publicName(one.sink);
      most.set(name, Math.max(most.get(name) ?? 0, one[key]));
    }
    return [...most].map(([sink, value]): Sample => [value, { sink }]);
  };
  const rowsHelp = "Rows of the audit log that a sink has not had";
  own.gauge("rekey_audit_sink_lag_rows", rowsHelp, ...samples("lag_rows"));
  const secondsHelp = "Age of the oldest row of the audit log that a sink has not had";
  own.gauge("rekey_audit_sink_lag_seconds", secondsHelp, ...samples("lag_seconds"));
}
