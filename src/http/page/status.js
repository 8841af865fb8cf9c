/** The state of the secret, and the audit log. */
import { byId, keep, make, setText, timeOf } from "./dom.js";
import { count, duration, utc } from "./text.js";

export function showState(status) {
  const { time, rotation_due: due, due_at: dueAt, grace } = status;
  for (const id of ["app", "version", "kid", "location", "rekey"]) setText(id, status[id]);
  setText("age", status.created_in_future ? "not known" : duration(status.age_seconds));
  const made = status.created_in_future ? "made in the future, the clock was ahead:" : "since";
  setText("created", `${made} ${utc(status.created_at)}`);
  setText("due", due ? "now" : `in ${duration((Date.parse(dueAt) - Date.parse(time)) / 1000)}`);
  setText("due-at", `${due ? "since" : "at"} ${utc(dueAt)}`);
  byId("due-badge").hidden = !due;
  setText("tokens", status.tokens);
  setText("sessions", count(status.sessions_active));
  setText("time", utc(time));
  setText("no-grace", grace.length === 0 ? "none" : "");
  showPrepared(status.prepared);
  showDeliveries(status.deliveries);
  showStale(status.stale_processes);
  keep(byId("grace"), grace, ({ version, kid, alg, until }) => {
    const code = make("code", {}, kid);
    const of = alg === status.alg ? "kid " : `${alg}, kid `;
    return make("li", {}, `version ${version} (${of}`, code, ") until ", timeOf(until));
  });
}

function showPrepared(prepared) {
  keep(byId("prepared"), [prepared], (one) => {
    if (one === null) return make("span", {}, "none");
    const { version, kid, alg, activatable_at: at, is_ready: ready } = one;
    const when = ready ? ["; can be activated"] : ["; from ", timeOf(at), " on"];
    return make(
      "span",
      {},
      `version ${version} (${alg}, kid `,
      make("code", {}, kid),
      ")",
      ...when,
    );
  });
}

function showDeliveries(deliveries) {
  setText("no-delivery", deliveries.length === 0 ? "none" : "");
  keep(byId("deliveries"), deliveries, ({ name, version, followed, lag_seconds: lag }) => {
    const since = lag === null ? "" : ` for ${duration(lag)}`;
    const held = version === null ? "no version" : `version ${version}`;
    return make("li", {}, `${name}: ${held}${followed ? "" : `, behind${since}`}`);
  });
}

function showStale(processes) {
  setText("no-stale", processes.length === 0 ? "none" : "");
  keep(byId("stale"), processes, ({ pid, program, version, state, until }) => {
    const held = version === null ? "an unknown version" : `version ${version}`;
    const named = `${program} (PID ${pid}) holds ${held}, which `;
    return make("li", {}, named, ...state === "ended" ? ["has ended"] : ["ends ", timeOf(until)]);
  });
}

export function showAudit({ audit }) {
  keep(byId("audit"), audit, auditRow);
}

function auditRow({ seq, time, event, version, location, duration, actor, reason }) {
  const took = duration === null ? "" : `${(duration / 1000).toFixed(1)} ms`;
  const cells = { time: timeOf(time), event, version, location, took, actor, reason };
  const made = Object.entries(cells).map(([name, content]) =>
    make("td", { "data-name": name }, content ?? "")
  );
  return make("tr", {}, make("th", { scope: "row" }, seq), ...made);
}
