// What rekey says reaches the page as text or as an attribute of a drawing, never as markup: claims
// and reasons are written by others.

const POLL_MS = 2_000;
const HIDDEN_POLL_MS = 30_000;
const STATUS_PATIENCE_MS = 5_000;
// A keyring that waits for its user keeps a verification waiting too.
const VERIFY_PATIENCE_MS = 30_000;
// The server tells no more of them.
const ROTATIONS_TOLD = 50;

const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Even the same text, set again, would end a selection in it. */
function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== String(text)) node.textContent = text;
}

function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function makeSvg(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const keyOf = new WeakMap();

/** Gives `parent` a child for each item. A child whose item is still there is not touched. */
function keep(parent, items, build) {
  const keys = items.map((item) => JSON.stringify(item));
  for (const child of [...parent.children]) {
    if (!keys.includes(keyOf.get(child))) child.remove();
  }
  items.forEach((item, index) => {
    const there = parent.children[index] ?? null;
    if (there !== null && keyOf.get(there) === keys[index]) return;
    const child = build(item);
    keyOf.set(child, keys[index]);
    parent.insertBefore(child, there);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
}

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

function duration(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const largest = UNITS.findIndex(([, size]) => rest >= size);
  if (largest === -1) return "0 seconds";
  const parts = UNITS.slice(largest, largest + 2).map(([unit, size]) => {
    const units = Math.floor(rest / size);
    rest -= units * size;
    return units === 0 ? "" : plural(units, unit);
  });
  return parts.join(" ").trim();
}

/** UTC, as rekey's command line and log have it. */
const utc = (instant) => instant.replace("T", " ").replace(/(?:\.\d+)?Z$/, " Z");

function timeOf(instant, text = utc(instant)) {
  return make("time", { datetime: instant }, text);
}

function percent(share) {
  const text = (share * 100).toFixed(1);
  // Rounding must not hide the one failure in ten thousand.
  if (share > 0 && text === "0.0") return "< 0.1 %";
  if (share < 1 && text === "100.0") return "> 99.9 %";
  return `${text} %`;
}

// Places along a chart are percentages, so that it fills any width while its text keeps its size.
// Texts must fit at 320 px all the same, where a character takes this many percent.
const CHARACTER = 3;
const BAR_ROW = 34;
const AXIS_Y = 84;
const COLUMNS = 36;
const SHORTEST_SPAN_MS = 60_000;

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

function showRotations({ rotations, time }) {
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

function showRate(chart, share, name, text, rows) {
  const figure = share === null ? "none yet" : percent(share);
  setText(`${chart}-figure`, figure);
  setText(`${chart}-text`, share === null ? "" : text);
  bars(`${chart}-chart`, `${name}: ${figure}. Counts:`, rows);
}

function showRates({ success_rate, verifications, fallback_rate, retrievals }) {
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

let shown = null;

function show(status) {
  if (shown !== null && shown.version !== status.version) {
    setText("news", `rotated: version ${status.version} is current`);
  }
  shown = status;
  showState(status);
  showRotations(status);
  showRates(status);
  keep(byId("audit"), status.audit, auditRow);
  document.title = `${status.app} version ${status.version} – rekey`;
  document.documentElement.dataset.version = status.version;
}

function showState(status) {
  const { time, rotation_due: due, due_at: dueAt, grace } = status;
  for (const id of ["app", "version", "kid", "location", "rekey"]) setText(id, status[id]);
  setText("age", duration(status.age_seconds));
  setText("created", `since ${utc(status.created_at)}`);
  setText("due", due ? "now" : `in ${duration((Date.parse(dueAt) - Date.parse(time)) / 1000)}`);
  setText("due-at", `${due ? "since" : "at"} ${utc(dueAt)}`);
  byId("due-badge").hidden = !due;
  setText("tokens", `${status.alg}, key form ${status.key_form}`);
  setText("sessions", count(status.sessions_active));
  setText("time", utc(time));
  setText("no-grace", grace.length === 0 ? "none" : "");
  keep(byId("grace"), grace, ({ version, kid, until }) => {
    const code = make("code", {}, kid);
    return make("li", {}, `version ${version} (kid `, code, ") until ", timeOf(until));
  });
}

function auditRow({ seq, time, event, version, location, duration, actor, reason }) {
  const took = duration === null ? "" : `${(duration / 1000).toFixed(1)} ms`;
  const cells = { time: timeOf(time), event, version, location, took, actor, reason };
  const made = Object.entries(cells).map(([name, content]) =>
    make("td", { "data-name": name }, content ?? "")
  );
  return make("tr", {}, make("th", { scope: "row" }, seq), ...made);
}

/** Status 0 stands for no answer, or one that is not rekey's. */
async function ask(path, patience, init = {}) {
  try {
    const signal = AbortSignal.timeout(patience);
    const response = await fetch(path, { cache: "no-store", signal, ...init });
    return { status: response.status, body: Object(await response.json()) };
  } catch {
    return { status: 0, body: {} };
  }
}

function problem({ status, body: { detail, title, hint, code } }) {
  if (status === 0) return "no answer came";
  return `${detail ?? title}${hint ? `. ${hint}` : ""} (${[status, code].join(" ").trim()})`;
}

let timer;
let polls = 0;

async function poll() {
  const mine = ++polls;
  const answer = await ask("status.json", STATUS_PATIENCE_MS);
  if (mine !== polls) return;
  schedule();
  if (answer.status === 200) show(answer.body);
  showBanner(answer);
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(poll, document.hidden ? HIDDEN_POLL_MS : POLL_MS);
}

function showBanner(answer) {
  const failed = answer.status !== 200;
  const what = answer.status === 0 ? "Cannot reach rekey" : "Cannot read the state of rekey";
  const seen = shown === null ? "never seen by this page" : `last seen ${utc(shown.time)}`;
  // An alert is spoken whenever its text changes, so the text holds no running time.
  setText("banner", failed ? `${what}, ${seen}: ${problem(answer)}` : "");
  byId("banner").hidden = !failed;
  document.documentElement.toggleAttribute("data-stale", failed);
}

let question = 0;

function forgetVerdict() {
  question++;
  byId("verdict").replaceChildren();
}

function showVerdict(tone, headline, ...parts) {
  byId("verdict").replaceChildren(make("p", { class: `headline ${tone}` }, headline), ...parts);
}

async function verify() {
  const token = byId("token").value.trim();
  forgetVerdict();
  if (token === "") return showVerdict("", "Paste a token first.");
  const mine = question;
  showVerdict("", "verifying…");
  const answer = await ask("verdict", VERIFY_PATIENCE_MS, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  // The box was edited or cleared meanwhile: the answer is about another token.
  if (mine !== question) return;
  const { status, body } = answer;
  // A verdict outlives the rotation that ends it.
  const asked = make("p", {}, "asked at ", timeOf(new Date().toISOString()));
  if (status === 200 && body.valid === true) return showValid(body, asked);
  if (status === 200 && body.valid === false) return showRefused(body, asked);
  showVerdict("bad", "cannot verify", make("p", {}, problem(answer)), asked);
}

function showValid({ version, kid, claims }, asked) {
  const rows = Object.entries(claims).map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, ...claim(name, value)))
  );
  const signed = make("p", {}, `signed with version ${version} (kid ${kid})`);
  const table = make("table", {}, make("caption", {}, "Claims"), make("tbody", {}, ...rows));
  showVerdict("good", "✓ valid", signed, asked, table);
}

function showRefused({ code, message, failures = [] }, asked) {
  const items = failures.map((one) => make("li", {}, `${one.claim} ${one.reason} (${one.code})`));
  const list = make("ul", {}, ...items);
  showVerdict("bad", `✕ not valid: ${code}`, make("p", {}, message), list, asked);
}

function claim(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const date = new Date(["exp", "nbf", "iat"].includes(name) ? value * 1000 : NaN);
  if (Number.isNaN(date.getTime())) return [text];
  const local = date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
  return [`${text} · `, timeOf(date.toISOString(), local)];
}

byId("verify").addEventListener("click", verify);
byId("token").addEventListener("input", forgetVerdict);
byId("token").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) verify();
});
byId("clear").addEventListener("click", () => {
  byId("token").value = "";
  forgetVerdict();
  byId("token").focus();
});
document.addEventListener("visibilitychange", () => document.hidden ? schedule() : poll());
poll();
