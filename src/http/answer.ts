// A handler may give the same answer many times; it is finished once.
const FINISHED = Symbol("finished");

type OwnResponse = Response & { [FINISHED]?: true };

/** An answer without a body, which can be given again and again. */
export function bodyless(status: number, headers: Record<string, string>): Response {
  const all = { ...headers, "cache-control": "no-store" };
  const answer: OwnResponse = new Response(null, { status, headers: all });
  answer[FINISHED] = true;
  return answer;
}

/** Gives an answer the headers that each one has. */
export function finished(answer: OwnResponse): Response {
  if (answer[FINISHED]) return answer;
  answer[FINISHED] = true;
  answer.headers.set("cache-control", "no-store");
  if (!hasBody(answer)) return answer;
  answer.headers.set("x-content-type-options", "nosniff");
  answer.headers.set("referrer-policy", "no-referrer");
  return answer;
}

/** Says that nothing more is read from the connection. */
export function lastOfConnection(answer: Response): Response {
  // Only an answer without a body is given again, and to that request the connection may stay.
  const last = hasBody(answer) ? answer : new Response(null, answer);
  last.headers.set("connection", "close");
  return last;
}

// Every body of ours has its type. To look at the body itself would make a stream of it.
function hasBody({ headers }: Response): boolean {
  return headers.has("content-type");
}
