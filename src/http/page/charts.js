/**
 * Drawings by uPlot, which is served beside this script. Each has a label that says in words what it shows; all figures
 * are in a table, too.
 */
import { byId } from "./dom.js";
import { colour } from "./theme.js";
import { clockTime } from "./text.js";

const HEIGHT = 132;
const drawn = new Map();

/**
 * Draws a chart, or draws it again.
 *
 * @param id of its element.
 * @param chart `label` in words; `ends`, milliseconds since the epoch; `series`, each with `values`, the name of its colour
 * and perhaps `bars`; `unit`, which makes a text of a value; `most`, the least that the axis must reach; `marks`, instants.
 */
export function draw(id, chart) {
  const node = byId(id);
  if (node.getAttribute("aria-label") !== chart.label) node.setAttribute("aria-label", chart.label);
  const key = JSON.stringify(chart);
  const before = drawn.get(id);
  if (before?.key === key && before.width === node.clientWidth) return;
  before?.plot.destroy();
  node.replaceChildren();
  const data = [chart.ends.map((at) => at / 1000), ...chart.series.map(({ values }) => values)];
  const plot = new uPlot(optionsOf(node, chart), data, node);
  drawn.set(id, { key, plot, chart, width: node.clientWidth });
}

/** Draws charts again whose width has changed. */
export function fit() {
  for (const [id, { chart }] of drawn) draw(id, chart);
}

/** Draws all charts again, since the colours have changed. */
export function redraw() {
  for (const one of drawn.values()) one.key = "";
  fit();
}

function optionsOf(node, { ends, series, unit, most, marks, isDays }) {
  const step = (ends[1] - ends[0]) / 1000;
  const [ink, line] = [colour("--faint"), colour("--line")];
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink, font, ticks: { show: false } };
  return {
    width: Math.max(120, node.clientWidth),
    height: HEIGHT,
    // At the right, room for half of the last label.
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, min, max) => [min - step / 2, max + step / 2] },
      y: { range: (_, __, max) => [0, Math.max(most, 1.05 * (max ?? 0))] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: 44,
        incrs: incrementsOf(isDays, ends),
        values: (_, splits) => splits.map((at) => clockTime(at * 1000, isDays)),
      },
      {
        ...axis,
        size: 52,
        space: 36,
        grid: { stroke: line, width: 1 },
        values: (_, splits) => splits.map(unit),
      },
    ],
    series: [{}, ...series.map(seriesOf)],
    hooks: { draw: [(plot) => drawMarks(plot, marks, colour("--accent"))] },
  };
}

// Seconds between the labels of the axis: whole quarters of an hour, parts of a day, or weeks.
function incrementsOf(isDays, ends) {
  if (isDays) return [7, 14, 28].map((days) => days * 86_400);
  return ends.at(-1) - ends[0] > 7_200_000
    ? [3, 6, 12].map((hours) => hours * 3600)
    : [300, 900, 1800];
}

function seriesOf({ tone, bars, fill }) {
  const stroke = colour(tone);
  const faint = `color-mix(in srgb, ${stroke} 14%, transparent)`;
  return {
    stroke,
    width: bars ? 0 : 1.75,
    ...fill || bars ? { fill: bars ? stroke : faint } : {},
    ...bars ? { paths: uPlot.paths.bars({ size: [0.7, 40, 4] }), points: { show: false } } : {
      spanGaps: true,
      points: { show: true, size: 4, fill: stroke },
    },
  };
}

// A rotation is a dashed line, as far as it lies in the period.
function drawMarks({ ctx, bbox, scales, valToPos }, marks, tone) {
  ctx.save();
  ctx.strokeStyle = tone;
  ctx.setLineDash([4, 4]);
  for (const at of marks) {
    if (at / 1000 < scales.x.min || at / 1000 > scales.x.max) continue;
    const x = Math.round(valToPos(at / 1000, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
