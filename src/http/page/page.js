/** Polls the state and shows it. */
import { ask, problem } from "./ask.js";
import { byId, setText } from "./dom.js";
import { showRates, showRotations } from "./charts.js";
import { showAudit, showState } from "./status.js";
import { utc } from "./text.js";
import { setUpVerification } from "./verify.js";

const POLL_MS = 2_000;
const HIDDEN_POLL_MS = 30_000;
const STATUS_TIMEOUT_MS = 5_000;

let shown = null;

function show(status) {
  if (shown !== null && shown.version !== status.version) {
    setText("news", `rotated: version ${status.version} is current`);
  }
  shown = status;
  showState(status);
  showRotations(status);
  showRates(status);
  showAudit(status);
  document.title = `${status.app} version ${status.version} – rekey`;
  document.documentElement.dataset.version = status.version;
}

let timer;
let polls = 0;

async function poll() {
  const mine = ++polls;
  const answer = await ask("status.json", STATUS_TIMEOUT_MS);
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
  // A screen reader reads an alert aloud whenever its text changes, so it has no running time.
  setText("banner", failed ? `${what}, ${seen}: ${problem(answer)}` : "");
  byId("banner").hidden = !failed;
  document.documentElement.toggleAttribute("data-stale", failed);
}

setUpVerification();
document.addEventListener("visibilitychange", () => document.hidden ? schedule() : poll());
poll();
