type Prometheus = typeof import("prom-client");

/** A value and its labels. */
export type Sample = [value: number, labels?: Record<string, string>];

/** The metrics of the main thread. All samples of a metric have the same label names. */
export class OwnMetrics {
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
