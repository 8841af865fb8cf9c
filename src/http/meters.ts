import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { Served } from "./app.ts";
import type { Prometheus } from "./prometheus.ts";

/** The metrics of one thread, to be added up with those of the others. */
export type Measured = MetricObjectWithValues<MetricValue<string>>[];

// From what a cached verification takes to what Envoy waits at most, and beyond.
const BUCKETS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.2, 1, 5];

/** What one request thread measures. Labels are routes, statuses and codes: nothing that a client can make up. */
export class Meters {
  readonly #registry;
  readonly #verifications;
  readonly #requests;
  readonly #seconds;

  constructor({ Registry, Counter, Histogram }: Prometheus) {
    const registers = [this.#registry = new Registry()];
    this.#verifications = new Counter({
      name: "rekey_verifications_total",
      help: "Verified tokens by result: valid, or the code of the refusal",
      labelNames: ["result"],
      registers,
    });
    this.#requests = new Counter({
      name: "rekey_http_requests_total",
      help: "Answered requests",
      labelNames: ["route", "status"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "rekey_http_request_duration_seconds",
      help: "Time from a request's arrival to its answer",
      labelNames: ["route"],
      buckets: BUCKETS_SECONDS,
      registers,
    });
  }

  verified(result: string): void {
    this.#verifications.inc({ result });
  }

  served({ route, status, milliseconds }: Served): void {
    this.#requests.inc({ route, status });
    this.#seconds.observe({ route }, milliseconds / 1000);
  }

  async measured(): Promise<Measured> {
    return await this.#registry.getMetricsAsJSON() as Measured;
  }
}
