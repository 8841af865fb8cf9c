import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { Served } from "../http/app.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Certificate } from "./certificate.ts";
import { OwnMetrics } from "./own_metrics.ts";
import { addSecretMetrics } from "./secret_metrics.ts";
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
 * What one request thread counts. Labels are routes and statuses: nothing that a client can choose. It
 * runs for every request, so it only counts; prom-client is loaded when the metrics are requested.
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

  /** How many requests were answered. */
  get count(): number {
    const all = [...this.#routes.values()].flatMap(({ statuses }) => statuses.entries());
    return all.reduce((sum, [, count]) => sum + count, 0);
  }

  json(): ThreadMetrics {
    const responses = [...this.#routes].flatMap(([route, { statuses }]) =>
      statuses.entries().map(([status, value]) => ({ labels: { route, status }, value }))
    );
    const durations = [...this.#routes].flatMap(([route, all]) => histogram(DURATION, route, all));
    return [
      metric("rekey_http_requests_total", "Answered requests", "counter", responses),
      metric(DURATION, "Time from a request's arrival to its answer", "histogram", durations),
    ];
  }
}

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

/** What the main thread adds to the metrics of the request threads. */
export interface MeasuredServer {
  readonly secrets: SecretManager;
  readonly settings: Settings;
  /** The certificate in use, if there is one. */
  readonly certificate: Certificate | undefined;
  /** Whether tokens can be verified, as `/readyz` answers. */
  readonly isReady: boolean;
}

/** The metrics of all threads and of the database, in Prometheus' text format. */
export async function exposeMetrics(
  threads: readonly ThreadMetrics[],
  { secrets, settings, certificate, isReady }: MeasuredServer,
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
  own.gauge("rekey_ready", "1 when tokens can be verified, as /readyz says", [isReady ? 1 : 0]);
  const isReadable = await addSecretMetrics(own, secrets, settings);
  own.gauge("rekey_database_readable", "1 when the database can be read", [isReadable ? 1 : 0]);
  const all = [...threads, await own.registry.getMetricsAsJSON() as ThreadMetrics];
  return await library.AggregatorRegistry.aggregate(all).metrics();
}
