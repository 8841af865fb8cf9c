/** What a figure is to be, as a ratio to another one of the same run. */
export interface Goal {
  readonly to: string;
  readonly sense: "≤" | "≥";
  readonly ratio: number;
}

/** A figure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goals?: readonly Goal[];
}

/** Figures that were taken together, in turn. */
export interface Part {
  readonly title: string;
  readonly rows: readonly Row[];
  /** Text in place of the rows' table, when they do not say it all. */
  readonly text?: string;
}

/** One thing to measure; `run` answers its figure. */
export interface Contender {
  readonly name: string;
  readonly run: () => Promise<number>;
}

/** Measures all contenders in turn, so that what else the machine does meets all of them; answers medians. */
export async function inTurn(contenders: readonly Contender[], rounds: number) {
  const all = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, run } of contenders) {
      const figure = await run();
      // The first round warms caches.
      if (round > 0) all.get(name)!.push(figure);
    }
  }
  return new Map([...all].map(([name, values]) => [name, median(values)]));
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** The value that so large a share of values is not above. @param share 0.99 for p99. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Milliseconds that a task takes. */
export async function milliseconds(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}
