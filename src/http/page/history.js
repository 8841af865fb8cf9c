/** The figures over a period: charts, and the same as a table. */
import { askState } from "./ask.js";
import { draw, fit, redraw } from "./charts.js";
import { byId, keep, make, setText } from "./dom.js";
import { onColours } from "./theme.js";
import { clockTime, count, milliseconds, percent, plural, utc } from "./text.js";

const HISTORY_TIMEOUT_MS = 5_000;
const IN_WORDS = { hour: "last hour", day: "last day", "90d": "last 90 days" };

let period = "hour";
let marks = [];

/** Handles the choice of the period, and draws again when colours or widths change. */
export function setUpHistory() {
  const buttons = [...document.querySelectorAll("[data-period]")];
  for (const one of buttons) {
    one.addEventListener("click", () => {
      period = one.dataset.period;
      for (const other of buttons) other.setAttribute("aria-pressed", other === one);
      renewHistory();
    });
  }
  onColours(redraw);
  new ResizeObserver(fit).observe(byId("history"));
}

let asked = 0;

/** Asks for the figures and shows them. */
export async function renewHistory() {
  const mine = ++asked;
  const { status, body } = await askState(`history.json?period=${period}`, HISTORY_TIMEOUT_MS);
  if (mine === asked && status === 200) showHistory(body);
}

/** Tells when rotations were, which charts mark. */
export function markRotations({ rotations }) {
  marks = rotations.map(({ time }) => Date.parse(time));
}

const successOf = ({ valid, refused }) => valid + refused === 0 ? null : valid / (valid + refused);
const fallbackOf = ({ retrievals, fallbacks }) => retrievals === 0 ? null : fallbacks / retrievals;

function showHistory({ ends, buckets, total, step_seconds: step }) {
  const isDays = step >= 86_400;
  const of = (value) => buckets.map((bucket) => bucket === null ? null : value(bucket));
  const common = { ends, marks, isDays };
  pictureSuccess(total, of, common);
  pictureRetrievals(total, of, common);
  pictureFallbacks(total, of, common);
  pictureRotations(total, of, common);
  showTable(ends, buckets, step);
}

const inPercent = (share) => `${Math.round(share * 100)} %`;

function pictureSuccess(total, of, common) {
  tell(
    "success",
    percentOrNone(successOf(total)),
    `of ${plural(total.valid + total.refused, "verification")}`,
  );
  const series = [{ values: of(successOf), tone: "--good", fill: true }];
  picture("success", "Success rate", { ...common, most: 1, series }, inPercent);
}

function pictureRetrievals({ p50_ms: p50, p95_ms: p95 }, of, common) {
  tell(
    "retrieval",
    p95 === null ? "none" : milliseconds(p95),
    p95 === null ? "" : `p95; p50 ${milliseconds(p50)}`,
  );
  const series = [
    { values: of(({ p95_ms }) => p95_ms), tone: "--accent", fill: true },
    { values: of(({ p50_ms }) => p50_ms), tone: "--faint" },
  ];
  const unit = (ms) => ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
  picture("retrieval", "Retrieval time", { ...common, most: 1, series }, unit);
}

function pictureFallbacks(total, of, common) {
  tell("fallback", percentOrNone(fallbackOf(total)), `of ${plural(total.retrievals, "retrieval")}`);
  const series = [{ values: of(fallbackOf), tone: "--warn", fill: true }];
  picture("fallback", "Fallback rate", { ...common, most: 0.1, series }, inPercent);
}

function pictureRotations(total, of, common) {
  tell("rotation", count(total.rotations), `in the ${IN_WORDS[period]}`);
  const series = [{ values: of(({ rotations }) => rotations), tone: "--accent", bars: true }];
  const unit = (number) => Number.isInteger(number) ? count(number) : "";
  picture("rotation", "Rotations", { ...common, most: 2, marks: [], series }, unit);
}

const percentOrNone = (share) => share === null ? "none" : percent(share);

function tell(name, text, more) {
  setText(`${name}-figure`, text);
  setText(`${name}-text`, more);
}

function picture(name, title, chart, unit) {
  const texts = [byId(`${name}-figure`), byId(`${name}-text`)].map((node) => node.textContent);
  const label = `${title} in the ${IN_WORDS[period]}: ${
    texts.join(" ").trim()
  }. The table below has all figures.`;
  draw(`${name}-chart`, { ...chart, label, unit });
}

function showTable(ends, buckets, step) {
  setText(
    "figures-caption",
    `The ${IN_WORDS[period]}, newest first, without what was quiet; times in UTC`,
  );
  const rows = buckets.flatMap((bucket, index) =>
    isQuiet(bucket) ? [] : [{ at: ends[index], ...bucket }]
  );
  keep(byId("figures"), rows.toReversed(), ({ at, ...bucket }) => {
    const ms = (value) => value === null ? "" : milliseconds(value);
    const cells = [
      ...[count(bucket.valid), count(bucket.refused), percentOrNone(successOf(bucket))],
      ...[count(bucket.retrievals), ms(bucket.p50_ms), ms(bucket.p95_ms)],
      ...[count(bucket.fallbacks), count(bucket.rotations)],
    ];
    const until = step >= 86_400 ? utc(new Date(at).toISOString()) : clockTime(at, false);
    const made = cells.map((text) => make("td", {}, text));
    return make("tr", {}, make("th", { scope: "row" }, until), ...made);
  });
}

const isQuiet = (bucket) =>
  bucket === null ||
  ["valid", "refused", "retrievals", "rotations"].every((name) => bucket[name] === 0);
