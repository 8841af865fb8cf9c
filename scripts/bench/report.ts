import type { Goal, Part, Row } from "./result.ts";

/** The parts as Markdown. */
export function report(parts: readonly Part[]): string {
  return parts.map(({ title, rows, text }) => `## ${title}\n\n${text ?? measured(rows)}\n`).join(
    "\n",
  );
}

/** A table of figures, and below it how they compare: beside them that would make its lines too long to read. */
function measured(rows: readonly Row[]): string {
  const lines = rows.map((row) => `| ${row.name} | ${figure(row.value)} ${row.unit} |`);
  const table = ["| what | median |", "| --- | ---: |", ...lines].join("\n");
  const items = rows.flatMap((row) =>
    (row.goals ?? []).map((goal) => `- ${row.name}: ${compared(rows, row, goal)}`)
  );
  return items.length === 0 ? table : `${table}\n\n${items.join("\n")}`;
}

function compared(rows: readonly Row[], row: Row, { to, sense, ratio }: Goal): string {
  const base = rows.find(({ name }) => name === to);
  if (base === undefined) return `${to}: not measured`;
  const is = row.value / base.value;
  const met = sense === "≤" ? is <= ratio : is >= ratio;
  return `${is.toFixed(2)} × ${to}; goal ${sense} ${Number(ratio.toFixed(2))}: ${
    met ? "met" : "**missed**"
  }`;
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(value < 10 ? 2 : 1) : Math.round(value).toLocaleString("en");
}
