/** Questions to rekey. */

/** Status 0 stands for no answer, or one that is not rekey's. */
export async function ask(path, patience, init = {}) {
  try {
    const signal = AbortSignal.timeout(patience);
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
