import { join } from "node:path";

const PATH = join(import.meta.dirname!, "../../../examples/grafana/rekey.json");

interface Query {
  readonly expr: string;
}

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly Query[] }[];
  readonly annotations: { readonly list: readonly Query[] };
}

/** The queries of the shipped dashboard, with Grafana's variables as they are in the file. */
export function dashboardQueries(): string[] {
  const { panels, annotations }: Dashboard = JSON.parse(Deno.readTextFileSync(PATH));
  return [...panels.flatMap(({ targets }) => targets), ...annotations.list].map(({ expr }) => expr);
}

/** The names of rekey's metrics in queries or rules. */
export function metricNames(text: string): string[] {
  return [...new Set(text.match(/\brekey_\w+/g))];
}
