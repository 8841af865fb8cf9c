import type { Goal, Part, Row } from "./result.ts";

/** The parts as Markdown. */
export function report(parts: readonly Part[]): string {
  return parts.map(({ title, rows, text }) => `## ${title}\n\n${text ?? table(rows)}\n`).join("\n");
}

function table(rows: readonly Row[]): string {
  const lines = rows.map((row) =>
    `| ${row.name} | ${figure(row.value)} ${row.unit} | ${
      (row.goals ?? []).map((goal) => compared(rows, row, goal)).join("<br>")
    } |`
  );
  return ["| what | median | beside |", "| --- | ---: | --- |", ...lines].join("\n");
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
