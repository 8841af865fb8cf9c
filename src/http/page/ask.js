/** Requests to rekey. */

// In memory only: a reload forgets it.
let access = "";

/** Sends a token with every later request for the state. */
export function useToken(token) {
  access = token;
}

export const hasToken = () => access !== "";

/** Asks for a part of the state. */
export function askState(path, timeoutMs) {
  const headers = access === "" ? {} : { authorization: `Bearer ${access}` };
  return ask(path, timeoutMs, { headers });
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
