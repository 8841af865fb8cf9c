/** Requests to rekey. @returns status 0 if there is no response, or none in JSON. */
export async function ask(path, timeoutMs, init = {}) {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(path, { cache: "no-store", signal, ...init });
    return { status: response.status, body: Object(await response.json()) };
  } catch {
    return { status: 0, body: {} };
  }
}

export function problem({ status, body: { detail, title, hint, code } }) {
  if (status === 0) return "no answer came";
  return `${detail ?? title}${hint ? `. ${hint}` : ""} (${[status, code].join(" ").trim()})`;
}
