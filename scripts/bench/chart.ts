import type { Part } from "./result.ts";

const [WIDTH, LABEL, BAR, LINE] = [760, 330, 320, 22];

/** The parts as a chart of bars, one group a part, for pages that are light or dark. */
export function chart(parts: readonly Part[]): string {
  const lines: string[] = [];
  let y = 8;
  for (const { title, rows } of parts.filter(({ rows }) => rows.length > 0)) {
    lines.push(`<text x="8" y="${y + 16}" class="title">${escape(title)}</text>`);
    y += LINE + 6;
    const most = Math.max(...rows.map(({ value }) => value));
    for (const { name, value, unit } of rows) {
      const length = Math.max(1, value / most * BAR).toFixed(1);
      const ours = /rekey/.test(name) ? "ours" : "other";
      lines.push(
        `<text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escape(name)}</text>` +
          `<rect x="${LABEL}" y="${y + 3}" width="${length}" height="${
            LINE - 7
          }" class="${ours}"/>` +
          `<text x="${LABEL + Number(length) + 6}" y="${y + 15}">${text(value)} ${unit}</text>`,
      );
      y += LINE;
    }
    y += 12;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}">
<style>text{font:12px sans-serif;fill:#555}.title{font-weight:bold}.ours{fill:#2a7de1}.other{fill:#999}
@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>
${lines.join("\n")}
</svg>
`;
}

function text(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

function escape(text: string): string {
  return text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
}
