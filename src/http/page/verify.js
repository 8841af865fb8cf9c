/** The form that verifies a token. */
import { ask, problem } from "./ask.js";
import { byId, make, timeOf } from "./dom.js";

// A keyring that waits for its user delays a verification.
const VERIFY_TIMEOUT_MS = 30_000;

let edits = 0;

/** Handles the buttons and keys of the form. */
export function setUpVerification() {
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
}

function forgetVerdict() {
  edits++;
  byId("verdict").replaceChildren();
}

function showVerdict(tone, headline, ...parts) {
  byId("verdict").replaceChildren(make("p", { class: `headline ${tone}` }, headline), ...parts);
}

async function verify() {
  const token = byId("token").value.trim();
  forgetVerdict();
  if (token === "") return showVerdict("", "Paste a token first.");
  const before = edits;
  showVerdict("", "verifying…");
  const answer = await ask("verdict", VERIFY_TIMEOUT_MS, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  // The field has changed since: the response is about another token.
  if (before !== edits) return;
  const { status, body } = answer;
  // The verdict stays on the page after a rotation, so it has a time.
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
