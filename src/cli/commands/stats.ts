import { type Figures, figures, type RetrievalTimes } from "../../audit/figures.ts";
import type { Context } from "../context.ts";
import { table } from "../format.ts";

/** Shows statistics of verifications, retrievals and rotations. */
export async function stats(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  const computed = figures(installation.database);
  output.result({ app: secrets.environment.app.name, ...computed }, human(computed));
}

function human(facts: Figures): string[] {
  const results = Object.entries(facts.verifications).map(([result, count]) =>
    `${result} ${count}`
  );
  return table([
    ["success rate", percent(facts.success_rate)],
    ["verifications", results.join(", ") || "none yet"],
    ["from the keyring", retrieval(facts.retrieval.keyring)],
    ["from the database", retrieval(facts.retrieval.database)],
    ["fallback rate", percent(facts.fallback_rate)],
    ["rotations", String(facts.rotations)],
  ]);
}

function percent(rate: number | null): string {
  return rate === null ? "none yet" : `${(rate * 100).toFixed(1)} %`;
}

function retrieval(times: RetrievalTimes | null): string {
  if (times === null) return "none yet";
  const { count, p50_ms, p95_ms } = times;
  return `p50 ${p50_ms.toFixed(1)} ms, p95 ${p95_ms.toFixed(1)} ms, of ${count}`;
}
