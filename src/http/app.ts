import { RegExpRouter } from "../libraries/hono.ts";
import { RekeyError } from "../core/errors.ts";
import { andThen, type MaybeAsync, tryThen } from "../core/async.ts";
import { discardBody } from "./body.ts";
import {
  bearerToken,
  challenge,
  isChunked,
  mustHaveScope,
  refuseAmbiguous,
  refuseForeign,
  refuseMalformedHost,
} from "./guard.ts";
import { HttpRefusal, problemResponse, statusAndCode } from "./problem.ts";
import type { Call, Route, Services } from "./routes.ts";

/** How a request ended, for the access log and the metrics. No field holds anything that the client wrote. */
export interface Served {
  /** The route's path as the table has it, `other` for one that is not in it. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  /** The code of the refusal, if it was refused with one. */
  readonly code: string | undefined;
  readonly milliseconds: number;
  readonly address: string | undefined;
  /** What is no refusal: a bug. */
  readonly bug: unknown;
}

/** Answers a request, as the runtime's server has it answered. */
export type RequestHandler = (
  request: Request,
  peer: { readonly remoteAddr: Deno.Addr },
) => MaybeAsync<Response>;

/**
 * The HTTP interface (design §8) as a function from a request to its answer, which is there at once when nothing has
 * to be waited for.
 *
 * @param onServed told of every request.
 */
export function makeApp(
  routes: readonly Route[],
  services: Services,
  onServed: (served: Served) => void,
): RequestHandler {
  const router = new RegExpRouter<Route>();
  for (const route of routes) {
    const { method, path } = route;
    if (method !== "ANY") router.add(method, path, route);
    router.add("ALL", path, method === "ANY" ? route : notAllowed(route));
  }
  return (request, { remoteAddr }) => {
    const address = "hostname" in remoteAddr ? remoteAddr.hostname : undefined;
    const isHead = request.method === "HEAD";
    const [found] = router.match(isHead ? "GET" : request.method, rawPath(request));
    const response = answer(
      found[0]?.[0] ?? NOT_FOUND,
      { ...services, request, address },
      onServed,
    );
    return isHead ? andThen(response, (full) => new Response(null, full)) : response;
  };
}

// As it was sent: a proxy in front that forbids a path means the same one.
function rawPath({ url }: Request): string {
  return /^[\w+]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

function answer(
  route: Route,
  call: Call,
  onServed: (served: Served) => void,
): MaybeAsync<Response> {
  const start = performance.now();
  const { request, address } = call;
  const chunked = isChunked(request);
  const finish = (response: Response, error?: unknown) =>
    andThen(request.body === null ? undefined : discardBody(request), () => {
      const { code } = error === undefined ? {} : statusAndCode(error);
      onServed({
        route: route.path,
        method: METHODS.includes(request.method) ? request.method : "other",
        status: response.status,
        code,
        milliseconds: performance.now() - start,
        address,
        bug: code === "internal" ? error : undefined,
      });
      return chunked ? lastOfConnection(finished(response)) : finished(response);
    });
  return tryThen(
    () => guarded(route, call, chunked),
    finish,
    (error) => finish(refusal(error), error),
  );
}

function guarded(route: Route, call: Call, chunked: boolean): MaybeAsync<Response> {
  const { request, names, remote } = call;
  refuseMalformedHost(request);
  if (chunked) refuseAmbiguous(request);
  if (!route.forProxies) refuseForeign(request, names);
  if (route.query === "refused") refuseQuery(route, request);
  return remote
    ? andThen(askForScope(route, call), () => route.handler(call))
    : route.handler(call);
}

function refuseQuery({ path }: Route, { url }: Request): void {
  if (!/\?[^#]/.test(url)) return;
  const hint = "Say in the body what is wanted; what a token must be for a proxy goes to /auth";
  throw new HttpRefusal("bad_request", `Cannot answer: ${path} takes no query`, {}, hint);
}

// Where other machines can ask, what tells more than the asker's own token says needs a scope.
function askForScope({ bearer }: Route, { request, verify }: Call): MaybeAsync<void> {
  if (typeof bearer !== "object") return;
  return andThen(
    verify(bearerToken(request)),
    (verified) => mustHaveScope(verified, bearer.remoteScope),
  );
}

function refusal(error: unknown): Response {
  const headers: Record<string, string> = {};
  if (statusAndCode(error).status === 401) headers["www-authenticate"] = challenge(error);
  if (error instanceof RekeyError && error.retryAfter !== undefined) {
    headers["retry-after"] = String(error.retryAfter);
  }
  return problemResponse(error, headers);
}

function notAllowed({ method, path }: Route): Route {
  const allow = method === "GET" ? "GET, HEAD" : method;
  const handler = () => {
    throw new HttpRefusal("method_not_allowed", `Cannot answer: ${path} takes ${allow}`, { allow });
  };
  return { method: "ANY", path, summary: "", answers: {}, handler };
}

const NOT_FOUND: Route = {
  method: "ANY",
  path: "other",
  summary: "",
  answers: {},
  handler: () => {
    throw new HttpRefusal("not_found", "Cannot answer: there is no such route");
  },
};

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
