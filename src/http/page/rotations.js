/** The rotations over time. */
import { draw } from "./chart.js";
import { byId, keep, make, setText } from "./dom.js";
import { count, plural, utc } from "./text.js";

// The server tells no more of them.
const ROTATIONS_TOLD = 50;
// Texts must fit at 320 px all the same, where a character takes this many percent.
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
  setText("rotations-text", rotations.length < ROTATIONS_TOLD ? last : `the newest; ${last}`);
  byId("rotations-all").hidden = none;
  keep(byId("rotations-list"), rotations.toReversed(), (one) => make("li", {}, describe(one)));
  const words = none ? figure : `${plural(rotations.length, "rotation")}; ${first}${last}`;
  draw("rotations-chart", `Rotations over time: ${words}.`, AXIS_Y + 22, [
    ["rect", { x: 0, y: AXIS_Y, width: "100%", height: 1, class: "axis" }],
    axisText("100%", "end", "now"),
    ...timeline(rotations, Date.parse(time)),
  ]);
}

/** Rotations that are too close to be told apart share a column, in which they are stacked. */
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

/** Labels the newest column, and each older one whose label has room beside that. */
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
