/** What is so now: health, versions, rotations, and who follows. */
import { agoWords, byId, counting, keep, make, setText } from "./dom.js";
import { count, duration, plural, utc } from "./text.js";

export function showState(status) {
  showHealth(status);
  showCurrent(status);
  showWindows(status);
  showRotations(status);
  showFollowers(status);
}

function showHealth({ healthy, findings, examined_at: examined }) {
  const wrong = findings.filter(({ level }) => level === "wrong").length;
  const notes = findings.length - wrong;
  const word = wrong > 0
    ? `${wrong === 1 ? "One thing is" : `${wrong} things are`} wrong`
    : notes > 0
    ? `Healthy, with ${plural(notes, "note")}`
    : "Healthy";
  byId("health").dataset.state = healthy ? "good" : "bad";
  setText("health-mark", healthy ? "✓" : "✕");
  setText("health-word", word);
  setText("health-note", healthNote(findings, examined));
  byId("findings").hidden = findings.length === 0;
  keep(byId("findings"), findings, ({ code, level, text }) =>
    make(
      "li",
      { class: level },
      make("span", { class: "level" }, level === "wrong" ? "wrong" : "note"),
      ` ${text} `,
      make("code", { translate: "no" }, code),
    ));
}

function healthNote(findings, examined) {
  if (examined === null) return "Files, disk and clock have not been looked at yet";
  const more = findings.length > 0 ? "rekey doctor has the command that fixes each. " : "";
  return `${more}Files, disk and clock looked at ${utc(examined).slice(11)}`;
}

function showCurrent(status) {
  const { time, rotation_due: due, due_at: dueAt, created_at: created } = status;
  for (const id of ["app", "kid", "location", "rekey", "tokens"]) setText(id, status[id]);
  setText("version", `version ${status.version}`);
  setText("age", status.created_in_future ? "not known" : `${duration(status.age_seconds)} ago`);
  const ahead = "made in the future, the clock was ahead: ";
  setText("created", `${status.created_in_future ? ahead : ""}${utc(created)}`);
  setText("due", due ? "now" : `in ${duration((Date.parse(dueAt) - Date.parse(time)) / 1000)}`);
  byId("due").classList.toggle("bad", due);
  setText("due-at", `${due ? "since " : ""}${utc(dueAt)}`);
  setText("sessions", count(status.sessions_active));
  setText("time", utc(time));
}

const leftWords = (seconds) => seconds <= 0 ? "ends now" : `ends in ${duration(seconds)}`;

function showWindows({ grace, prepared, alg: current }) {
  const none = grace.length === 0;
  byId("no-grace").hidden = !none;
  byId("grace").hidden = none;
  setText("no-grace", "None: only the current version verifies");
  keep(byId("grace"), grace, ({ version, kid, alg, until }) => {
    const end = counting(until, leftWords);
    const of = make("code", { translate: "no" }, kid);
    const kind = alg === current ? "" : `${alg}, `;
    return make(
      "li",
      {},
      make("strong", {}, `version ${version} `),
      end,
      make("br"),
      `${kind}kid `,
      of,
    );
  });
  keep(byId("prepared"), [prepared], preparedVersion);
}

function preparedVersion(one) {
  if (one === null) return make("p", { class: "faint" }, "None");
  const { version, kid, alg, activatable_at: at, is_ready: ready } = one;
  const when = ready
    ? ["can be activated"]
    : [counting(at, (left) =>
      left <= 0 ? "can be activated" : `can be activated in ${duration(left)}`)];
  const code = make("code", { translate: "no" }, kid);
  const number = make("strong", {}, `version ${version} `);
  return make("p", {}, number, ...when, make("br"), `${alg}, kid `, code);
}

const SHOWN_ROTATIONS = 50;

function showRotations({ rotations }) {
  byId("no-rotation").hidden = rotations.length > 0;
  byId("rotations-table").hidden = rotations.length === 0;
  keep(byId("rotations"), rotations.toReversed().slice(0, SHOWN_ROTATIONS), (one) => {
    const { version, time, reason, actor } = one;
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, version ?? "?"),
      make("td", { class: "when" }, counting(time, agoWords), " ", make("small", {}, utc(time))),
      make("td", {}, actor ?? "not in the log"),
      make("td", {}, reason ?? ""),
    );
  });
}

/** All that should hold the current version, those that lag first. */
function followersOf({ deliveries, fleet, stale_processes: processes, audit_sinks: sinks }) {
  const held = (one) => one === null ? "no version" : `version ${one}`;
  const since = (seconds) => seconds === null ? "" : ` for ${duration(seconds, 1)}`;
  const all = [
    ...deliveries.map((one) => ({
      name: one.name,
      kind: "program",
      held: held(one.version),
      lags: !one.followed,
      state: one.followed ? "follows" : `lags${since(one.lag_seconds)}`,
    })),
    ...(fleet?.members ?? []).map((one) => ({
      name: one.name,
      kind: `server, rekey ${one.rekey}`,
      held: held(one.version),
      lags: !one.followed,
      state: one.followed
        ? "follows"
        : `lags${since(one.lag_seconds)}${
          one.deliveries_behind ? `: ${one.deliveries_behind}` : ""
        }`,
    })),
    ...(sinks ?? []).map((one) => ({
      name: one.sink,
      kind: "sink of the audit log",
      held: one.lag_rows === 0 ? "all rows" : `all but ${plural(one.lag_rows, "row")}`,
      lags: one.failed,
      state: one.failed ? `lags${since(one.lag_seconds)}` : "follows",
    })),
    ...processes.map((one) => ({
      name: `${one.program} (PID ${one.pid})`,
      kind: "started by rekey exec",
      held: one.version === null ? "an unknown version" : held(one.version),
      lags: one.state === "ended",
      state: one.state === "ended" ? "lags: that version has ended" : "must be restarted",
      until: one.until,
    })),
  ];
  return [...all.filter(({ lags }) => lags), ...all.filter(({ lags }) => !lags)];
}

function showFollowers(status) {
  const all = followersOf(status);
  const lagging = all.filter(({ lags }) => lags);
  byId("followers-table").hidden = all.length === 0;
  setText("followers-note", followersNote(all.length, lagging));
  byId("followers-note").dataset.state = lagging.length > 0 ? "bad" : "good";
  keep(byId("followers"), all, ({ name, kind, held, lags, state, until }) => {
    const end = until ? [" ", counting(until, leftWords)] : [];
    const mark = make("span", { "aria-hidden": "true" }, lags ? "✕ " : "✓ ");
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name, " ", make("small", {}, kind)),
      make("td", {}, held),
      make("td", { class: lags ? "bad" : "good" }, mark, state, ...end),
    );
  });
}

function followersNote(total, lagging) {
  if (total === 0) return "No program gets keys from rekey here, and no server shares the secret";
  if (lagging.length === 0) return total === 1 ? "It follows" : `All ${total} follow`;
  const names = lagging.slice(0, 3).map(({ name }) => shortened(name)).join(", ");
  const more = lagging.length > 3 ? ` and ${lagging.length - 3} more` : "";
  return `${lagging.length} of ${total} ${lagging.length === 1 ? "lags" : "lag"}: ${names}${more}`;
}

const shortened = (name) => name.length > 60 ? `${name.slice(0, 60)}…` : name;

/** Shows what the counters say about refused tokens. */
export function showRefusals({ verifications }, inWords) {
  const { valid: _, ...refused } = verifications;
  const rows = Object.entries(refused).sort(([, one], [, other]) => other - one);
  byId("no-refusal").hidden = rows.length > 0;
  byId("refusals-table").hidden = rows.length === 0;
  keep(byId("refusals"), rows, ([code, tokens]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("code", { translate: "no" }, code)),
      make("td", {}, inWords(code)),
      make("td", {}, count(tokens)),
    ));
}
