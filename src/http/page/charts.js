/**
 * The charts. Each has a label that says in words what it shows. Positions along a chart are percentages, so that it
 * fills any width while its text keeps its size.
 */
import { byId, keep, make, makeSvg, setText } from "./dom.js";
import { count, percent, plural, utc } from "./text.js";

export function showRates({ success_rate, verifications, fallback_rate, retrievals }) {
  const { valid = 0, ...refused } = verifications;
  const rows = Object.entries(refused).sort(([, one], [, other]) => other - one);
  const verified = rows.reduce((sum, [, number]) => sum + number, valid);
  showRate(
    "results",
    success_rate,
    "Success rate",
    `of ${plural(verified, "verification")} found a valid token`,
    [
      ["valid", valid, "good"],
      ...rows.map((row) => [...row, "bad"]),
    ],
  );
  const { keyring, database } = retrievals;
  const retrieved = `of ${plural(keyring + database, "retrieval")} fell back from the keyring`;
  showRate("fallback", fallback_rate, "Fallback rate", retrieved, [
    ["keyring", keyring, "keyring"],
    ["database", database, "database"],
  ]);
}

function showRate(chart, share, name, text, rows) {
  const figure = share === null ? "none yet" : percent(share);
  setText(`${chart}-figure`, figure);
  setText(`${chart}-text`, share === null ? "" : text);
  bars(`${chart}-chart`, `${name}: ${figure}. Counts:`, rows);
}

// The server sends at most this many.
const MAX_ROTATIONS = 50;
// Width of a character in percent of a chart that is 320 px wide, where all text must fit.
const CHARACTER = 3;
const AXIS_Y = 84;
const COLUMNS = 36;
const SHORTEST_SPAN_MS = 60_000;

export function showRotations({ rotations, time }) {
  const none = rotations.length === 0;
  const figure = none ? "none yet" : count(rotations.length);
  const last = none ? "" : `last: ${describe(rotations.at(-1))}`;
  const first = rotations.length < 2 ? "" : `first: ${describe(rotations[0])}; `;
  setText("rotations-figure", figure);
  setText("rotations-text", rotations.length < MAX_ROTATIONS ? last : `the newest; ${last}`);
  byId("rotations-all").hidden = none;
  keep(byId("rotations-list"), rotations.toReversed(), (one) => make("li", {}, describe(one)));
  const words = none ? figure : `${plural(rotations.length, "rotation")}; ${first}${last}`;
  draw("rotations-chart", `Rotations over time: ${words}.`, AXIS_Y + 22, [
    ["rect", { x: 0, y: AXIS_Y, width: "100%", height: 1, class: "axis" }],
    axisText("100%", "end", "now"),
    ...timeline(rotations, Date.parse(time)),
  ]);
}

/** Groups rotations that are close in time into stacked columns. */
function columns(rotations, now) {
  const times = rotations.map(({ time }) => Date.parse(time));
  const end = Math.max(now, ...times);
  const start = Math.min(end - SHORTEST_SPAN_MS, ...times);
  const places = times.map((time) => Math.round(COLUMNS * (time - start) / (end - start)));
  const all = [...new Set(places)].sort((one, other) => one - other).map((place) => ({
    x: 3 + place * 94 / COLUMNS,
    members: rotations.filter((_, index) => places[index] === place),
  }));
  return { start, all };
}

/** Labels the newest column, and older ones whose label does not overlap. */
function labels(all) {
  let limit = Infinity;
  return all.toReversed().flatMap(({ x, members }) => {
    const names = [members[0], members.at(-1)].map(({ version }) => `v${version ?? "?"}`);
    const text = [...new Set(names)].join("–");
    const half = text.length * CHARACTER / 2;
    const middle = Math.min(Math.max(x, half), 100 - half);
    if (middle + half > limit) return [];
    limit = middle - half - CHARACTER;
    return [
      ["rect", { x: `${x}%`, y: 16, width: 1, height: AXIS_Y - 16, class: "track" }],
      ["text", { x: `${middle}%`, y: 12, "text-anchor": "middle" }, text],
    ];
  });
}

function timeline(rotations, now) {
  if (rotations.length === 0) return [axisText(0, "start", "no rotation yet")];
  const { start, all } = columns(rotations, now);
  const dots = all.flatMap(({ x, members }) => {
    const step = Math.min(8, 52 / members.length);
    return members.map((rotation, level) => {
      const place = { cx: `${x}%`, cy: AXIS_Y - 6 - level * step, r: 3 };
      return ["circle", place, describe(rotation)];
    });
  });
  const since = utc(new Date(start).toISOString()).replace(/:\d\d Z$/, " Z");
  return [...labels(all), ...dots, axisText(0, "start", since)];
}

function axisText(x, anchor, text) {
  return ["text", { x, y: AXIS_Y + 16, "text-anchor": anchor, class: "axis" }, text];
}

function describe({ version, time, reason }) {
  return `version ${version ?? "?"} at ${utc(time)}${reason === null ? "" : `, ${reason}`}`;
}

const BAR_ROW = 34;

function draw(id, label, height, shapes) {
  const chart = byId(id);
  if (chart.getAttribute("aria-label") !== label) chart.setAttribute("aria-label", label);
  chart.setAttribute("height", height);
  keep(chart, shapes, ([name, attributes, text = ""]) => {
    return makeSvg(name, attributes, name === "text" ? text : makeSvg("title", {}, text));
  });
}

/** @param rows name, count and class of each bar. */
function bars(id, label, rows) {
  const total = rows.reduce((sum, [, number]) => sum + number, 0);
  const texts = rows.map(([, number]) =>
    total === 0 ? "0" : `${count(number)} (${percent(number / total)})`
  );
  const shapes = rows.flatMap(([name, number, tone], index) => {
    const y = index * BAR_ROW;
    const bar = { x: 0, y: y + 19, height: 8, rx: 2 };
    // A count of one must be visible next to a million.
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
