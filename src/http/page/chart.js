/**
 * Drawings, of which each says in words what it shows. Places along a chart are percentages, so that it fills any
 * width while its text keeps its size.
 */
import { byId, keep, makeSvg } from "./dom.js";
import { count, percent } from "./text.js";

const BAR_ROW = 34;

export function draw(id, label, height, shapes) {
  const chart = byId(id);
  if (chart.getAttribute("aria-label") !== label) chart.setAttribute("aria-label", label);
  chart.setAttribute("height", height);
  keep(chart, shapes, ([name, attributes, text = ""]) => {
    return makeSvg(name, attributes, name === "text" ? text : makeSvg("title", {}, text));
  });
}

/** @param rows name, count and class of each bar. */
export function bars(id, label, rows) {
  const total = rows.reduce((sum, [, number]) => sum + number, 0);
  const texts = rows.map(([, number]) =>
    total === 0 ? "0" : `${count(number)} (${percent(number / total)})`
  );
  const shapes = rows.flatMap(([name, number, tone], index) => {
    const y = index * BAR_ROW;
    const bar = { x: 0, y: y + 19, height: 8, rx: 2 };
    // A count of one must show beside a million.
    const width = number === 0 ? 0 : Math.max(0.8, 100 * number / total);
    return [
      ["text", { x: 0, y: y + 13 }, name],
      ["text", { x: "100%", y: y + 13, "text-anchor": "end" }, texts[index]],
      ["rect", { ...bar, width: "100%", class: "track" }],
      ["rect", { ...bar, width: `${width.toFixed(2)}%`, class: tone }],
    ];
  });
  const words = rows.map(([name], index) => `${name} ${texts[index]}`).join(", ");
  draw(id, `${label} ${words}.`, rows.length * BAR_ROW, shapes);
}
