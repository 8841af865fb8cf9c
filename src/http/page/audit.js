/** The audit log: its newest rows, or those that match a filter. */
import { askState, problem } from "./ask.js";
import { byId, keep, make, setText, timeOf } from "./dom.js";
import { count, milliseconds } from "./text.js";

const AUDIT_TIMEOUT_MS = 10_000;
const TYPED_MS = 250;
const FILTERS = ["event", "version", "actor", "since"];

// The filter's place: rows before a number; `null` for the newest.
let before = null;
let older = null;
let newestShown = 0;
let now = Date.now();

/** Handles filters and pages. */
export function setUpAudit() {
  let typing;
  for (const name of FILTERS) {
    byId(`by-${name}`).addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => turnTo(null), TYPED_MS);
    });
  }
  byId("all-rows").addEventListener("click", () => {
    for (const name of FILTERS) byId(`by-${name}`).value = "";
    turnTo(null);
  });
  byId("newer").addEventListener("click", () => turnTo(null));
  byId("older").addEventListener("click", () => turnTo(older));
}

function turnTo(place) {
  before = place;
  return renewAudit();
}

/** Shows new rows, if the newest are shown. @param status with the newest rows. */
export function followAudit({ audit, time }) {
  now = Date.parse(time);
  suggest("events", audit.map(({ event }) => event));
  suggest("actors", audit.map(({ actor }) => actor));
  const newest = audit[0]?.seq ?? 0;
  if (before !== null || newest === newestShown) return;
  newestShown = newest;
  renewAudit();
}

const suggested = { events: new Set(), actors: new Set() };

function suggest(id, values) {
  for (const value of values) suggested[id].add(value);
  keep(byId(id), [...suggested[id]].sort(), (value) => make("option", { value }));
}

function query() {
  const since = byId("by-since").value;
  const given = {
    event: byId("by-event").value.trim(),
    version: byId("by-version").value.trim(),
    actor: byId("by-actor").value.trim(),
    since: since === "" ? "" : new Date(now - since * 1000).toISOString(),
    before: before ?? "",
  };
  return new URLSearchParams(Object.entries(given).filter(([, value]) => value !== ""));
}

let asks = 0;

async function renewAudit() {
  const mine = ++asks;
  const asked = query();
  const answer = await askState(`audit.json?${asked}`, AUDIT_TIMEOUT_MS);
  if (mine !== asks) return;
  if (answer.status !== 200) {
    // It is asked for again with the next state, unless the filter is what is wrong.
    if (answer.status === 0 || answer.status >= 500) newestShown = 0;
    return setText("log-note", `Cannot show the log: ${problem(answer)}`);
  }
  const { rows } = answer.body;
  older = answer.body.before;
  keep(byId("audit"), rows, auditRow);
  byId("newer").disabled = before === null;
  byId("older").disabled = older === null;
  const isFiltered = FILTERS.some((name) => asked.has(name));
  setText("log-note", note(rows, isFiltered));
}

function note(rows, isFiltered) {
  const found = rows.length === 0
    ? "No row"
    : `Rows ${count(rows.at(-1).seq)} to ${count(rows[0].seq)}`;
  const matches = isFiltered ? `${found}${rows.length === 0 ? " matches" : " match"}` : found;
  const more = older === null
    ? "; there are no older ones"
    : isFiltered && rows.length < 20
    ? `; looked back to row ${count(older)}, older rows are not looked at yet`
    : "";
  return `${matches}${more}`;
}

function auditRow({ seq, time, event, version, location, duration, actor, reason }) {
  const took = duration === null ? "" : milliseconds(duration / 1000);
  const cells = { time: timeOf(time), event, version, location, took, actor, reason };
  const made = Object.entries(cells).map(([name, content]) =>
    make("td", { "data-name": name }, content ?? "")
  );
  return make("tr", {}, make("th", { scope: "row" }, seq), ...made);
}
