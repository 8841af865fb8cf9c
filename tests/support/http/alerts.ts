import { join } from "node:path";
import { parse } from "./metrics.ts";
import type { Box } from "../process/box.ts";

const RULES = join(import.meta.dirname!, "../../../examples/prometheus/rekey.rules.yml");

/** What two scrapes of a server have said; without the first one nothing has changed. */
export interface Scraped {
  readonly instance: string;
  readonly before?: string;
  readonly after: string;
  /** When it was scraped, in seconds since the epoch. */
  readonly at: number;
}

/** Scrapes of servers, and an alert that they must set off; `undefined`: none. */
export interface AlertCase {
  readonly alert: string | undefined;
  readonly scraped: readonly Scraped[];
}

// The second scrape comes after as many minutes; then all goes on as it is.
const CHANGES_AT = 5;

// Alerts that count changes fire soon and end, one waits for a day.
const SOON = 12;
const DAY = 1_500;
const SLOW = "RekeyRotationDue";

/**
 * The series of a metric for promtool, whose clock begins at the epoch: a time is given as one from the scrape on.
 */
function series({ instance, before, after, at }: Scraped, lasts: number) {
  const [old, now] = [parse(before ?? after), parse(after)];
  return [...now].map(([name, value]) => {
    const shift = name.includes("_timestamp_seconds") ? at : 0;
    const text = (number: number) => String(Math.min(number - shift, 1e12));
    const labels = `instance="${instance}",job="rekey"`;
    const full = name.endsWith("}") ? name.replace(/\}$/, `,${labels}}`) : `${name}{${labels}}`;
    const was = old.get(name);
    const first = was === undefined ? "_" : text(was);
    return { series: full, values: `${first}x${CHANGES_AT} ${text(value)}x${lasts}` };
  });
}

function test({ alert, scraped }: AlertCase) {
  const minutes = alert === SLOW || alert === undefined ? DAY : SOON;
  const up = scraped.map(({ instance }) => ({
    series: `up{instance="${instance}",job="rekey"}`,
    values: `1x${minutes}`,
  }));
  const firing = (at: number, some: string, value: number | undefined) => ({
    expr: `count(ALERTS{alertstate="firing"${some}})`,
    eval_time: `${at}m`,
    exp_samples: value === undefined ? [] : [{ labels: "{}", value }],
  });
  return {
    interval: "1m",
    name: alert ?? "none",
    input_series: [...up, ...scraped.flatMap((one) => series(one, minutes))],
    promql_expr_test: alert === undefined
      ? [firing(SOON, "", undefined), firing(DAY, "", undefined)]
      : [firing(minutes, `,alertname="${alert}"`, 1)],
  };
}

/** Asks promtool whether the shipped rules set off what each case says. */
export async function checkAlerts(box: Box, cases: readonly AlertCase[]): Promise<void> {
  const file = join(box.home, "alerts.json");
  // JSON is YAML.
  const text = { rule_files: [RULES], evaluation_interval: "1m", tests: cases.map(test) };
  Deno.writeTextFileSync(file, JSON.stringify(text));
  const { code, stdout, stderr } = await box.exec("promtool", ["test", "rules", file]);
  if (code !== 0) throw new Error(stdout + stderr);
}
