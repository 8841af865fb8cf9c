/** Requests to rekey. */

// In memory only: a reload forgets it.
let access = "";
let refusal = "";

/** Sends a token with every later request for the state, until it is refused. */
export function useToken(token) {
  // A browser sends no other characters in a header, so it would look as if rekey did not answer.
  const isOne = /^[!-~]+$/.test(token);
  access = isOne ? token : "";
  refusal = isOne || token === "" ? "" : "That is not one token";
}

/** Why the last token was refused; empty if it was not. */
export const whyRefused = () => refusal;

export const needsToken = ({ status }) => status === 401 || status === 403;

/** Asks for a part of the state. */
export async function askState(path, timeoutMs) {
  const sent = access;
  const headers = sent === "" ? {} : { authorization: `Bearer ${sent}` };
  const answer = await ask(path, timeoutMs, { headers });
  if (needsToken(answer) && sent !== "" && sent === access) {
    // Sent every two seconds, it would count as a refused token each time, and set off alerts.
    access = "";
    refusal = problem(answer);
  }
  return answer;
}

/** @returns status 0 if there is no response, or none in JSON. */
export async function ask(path, timeoutMs, init = {}) {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(path, { cache: "no-store", signal, ...init });
    return { status: response.status, body: Object(await response.json()) };
  } catch {
    return { status: 0, body: {} };
  }
}

/** A refusal in plain words, with its code. */
export function problem({ status, body: { detail, title, hint, code } }) {
  if (status === 0) return "no answer came";
  return `${detail ?? title}${hint ? `. ${hint}` : ""} (${[status, code].join(" ").trim()})`;
}
