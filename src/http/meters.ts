import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { Served } from "./app.ts";

/** The library, loaded when it is needed: only a server pays for it. */
export async function prometheus() {
  return (await import("../libraries/prom_client.ts")).default;
}

export type Prometheus = Awaited<ReturnType<typeof prometheus>>;

/** The metrics of one thread, to be added up with those of the others. */
export type Measured = MetricObjectWithValues<MetricValue<string>>[];

// From what a cached verification takes to what Envoy waits at most, and beyond.
const BUCKETS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.2, 1, 5];

/** How long a route's answers took. */
interface Times {
  readonly statuses: Map<number, number>;
  /** How many took so long and no longer; the last one counts what took longer than all. */
  readonly buckets: number[];
  seconds: number;
}

/**
 * What one request thread measures. Labels are routes, statuses and codes: nothing that a client can make up. It
 * only counts, since it does so for every request; the library is for whoever asks for the figures.
 */
export class Meters {
  readonly #verifications = new Map<string, number>();
  readonly #routes = new Map<string, Times>();

  verified(result: string): void {
    this.#verifications.set(result, (this.#verifications.get(result) ?? 0) + 1);
  }

  served({ route, status, milliseconds }: Served): void {
    let times = this.#routes.get(route);
    if (times === undefined) {
      const buckets = Array(BUCKETS_SECONDS.length + 1).fill(0);
      this.#routes.set(route, times = { statuses: new Map(), buckets, seconds: 0 });
    }
    const seconds = milliseconds / 1000;
    let bucket = 0;
    while (seconds > BUCKETS_SECONDS[bucket]!) bucket++;
    times.buckets[bucket]!++;
    times.seconds += seconds;
    times.statuses.set(status, (times.statuses.get(status) ?? 0) + 1);
  }

  /** As the library's `getMetricsAsJSON` tells them. */
  measured(): Measured {
    const results = [...this.#verifications]
      .map(([result, value]) => ({ labels: { result }, value }));
    const answers = [...this.#routes].flatMap(([route, { statuses }]) =>
      [...statuses].map(([status, value]) => ({ labels: { route, status }, value }))
    );
    const times = [...this.#routes].flatMap(([route, times]) => histogram(SECONDS, route, times));
    return [
      metric("rekey_verifications_total", VERIFICATIONS_HELP, "counter", results),
      metric("rekey_http_requests_total", "Answered requests", "counter", answers),
      metric(SECONDS, "Time from a request's arrival to its answer", "histogram", times),
    ];
  }
}

const VERIFICATIONS_HELP = "Verified tokens by result: valid, or the code of the refusal";
const SECONDS = "rekey_http_request_duration_seconds";

function metric(name: string, help: string, type: "counter" | "histogram", values: unknown[]) {
  return { name, help, type, values, aggregator: "sum" } as unknown as Measured[number];
}

// Each bucket of Prometheus counts the shorter ones too.
function histogram(name: string, route: string, { buckets, seconds }: Times) {
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
