/** Polls the state and shows it. */
import { askState, needsToken, problem, useToken, whyRefused } from "./ask.js";
import { followAudit, setUpAudit } from "./audit.js";
import { byId, countOn, setClock, setText } from "./dom.js";
import { markRotations, renewHistory, setUpHistory } from "./history.js";
import { showRefusals, showState } from "./overview.js";
import { inWords, utc } from "./text.js";
import { setUpThemes } from "./theme.js";
import { setUpVerification } from "./verify.js";

const POLL_MS = 2_000;
const HIDDEN_POLL_MS = 30_000;
const STATUS_TIMEOUT_MS = 5_000;
const HISTORY_MS = 15_000;

let shown = null;
let drawnAt = -Infinity;

function show(status) {
  const isRotated = shown !== null && shown.version !== status.version;
  if (isRotated) setText("news", `Rotated: version ${status.version} is current`);
  if (shown === null || isRotated) drawnAt = -Infinity;
  shown = status;
  setClock(status.time);
  showState(status);
  showRefusals(status, inWords);
  markRotations(status);
  followAudit(status);
  countOn();
  if (performance.now() - drawnAt > HISTORY_MS) {
    drawnAt = performance.now();
    renewHistory();
  }
  document.title = `${status.healthy ? "" : "✕ "}${status.app} version ${status.version} – rekey`;
  document.documentElement.dataset.version = status.version;
}

let timer;
let polls = 0;

async function poll() {
  const mine = ++polls;
  const answer = await askState("status.json", STATUS_TIMEOUT_MS);
  if (mine !== polls) return;
  schedule();
  if (answer.status === 200) show(answer.body);
  showEntry(answer);
  showBanner(answer);
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(poll, document.hidden ? HIDDEN_POLL_MS : POLL_MS);
}

const NEEDED =
  "This server can be reached by other machines, so the state is for holders of a token";

function showEntry(answer) {
  byId("entry").hidden = !needsToken(answer);
  byId("state").hidden = shown === null && needsToken(answer);
  if (needsToken(answer)) setText("entry-why", whyRefused() || NEEDED);
}

function enter() {
  useToken(byId("access").value.trim());
  byId("access").value = "";
  poll();
}

/** Forgets the token when the page is left: a browser may keep the page for its Back button, with all that it knows. */
function setUpLeaving() {
  addEventListener("pagehide", () => {
    useToken("");
    for (const id of ["access", "token"]) byId(id).value = "";
  });
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

function showBanner(answer) {
  const failed = answer.status !== 200 && !(needsToken(answer) && shown === null);
  const what = answer.status === 0 ? "Cannot reach rekey" : "Cannot read the state of rekey";
  const seen = shown === null ? "never seen by this page" : `last seen ${utc(shown.time)}`;
  // A screen reader reads an alert aloud whenever its text changes, so it has no running time.
  const why = needsToken(answer) && whyRefused() || problem(answer);
  setText("banner", failed ? `${what}, ${seen}: ${why}` : "");
  byId("banner").hidden = !failed;
  document.documentElement.toggleAttribute("data-stale", answer.status !== 200);
  setText("asked", answer.status === 200 ? `live, ${utc(shown.time).slice(11)}` : "not live");
}

setUpThemes();
setUpHistory();
setUpAudit();
setUpVerification();
setUpLeaving();
byId("enter").addEventListener("click", enter);
byId("access").addEventListener("keydown", (event) => event.key === "Enter" && enter());
document.addEventListener("visibilitychange", () => document.hidden ? schedule() : poll());
setInterval(countOn, 1_000);
poll();
