import { RegExpRouter } from "hono/router/reg-exp-router";
import { RekeyError } from "../core/errors.ts";
import { andThen, type MaybeAsync, tryThen } from "../core/async.ts";
import { discardBody } from "./body.ts";
import {
  bearerToken,
  challenge,
  credentials,
  isChunked,
  rejectAmbiguousLength,
  rejectForeignSite,
  rejectMalformedHost,
  requireScope,
} from "./guard.ts";
import { HttpRefusal, problemResponse, statusAndCode, withoutPlaces } from "./problem.ts";
import type { Call, RequestHead, Route, Services } from "./route.ts";

/** How a request ended, for the access log and the metrics. No field contains anything that the client wrote. */
export interface Served {
  /** Path of the route in the table; `other` for an unknown one. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  /** The error code, if the request failed. */
  readonly code: string | undefined;
  readonly milliseconds: number;
  /** An error that is a bug; else `undefined`. */
  readonly bug: unknown;
}

/** Who has sent a request. The runtime finds out only when it is asked. */
export interface Peer {
  readonly remoteAddr: Deno.Addr;
}

/** Its IP address; `undefined` on a Unix socket. */
function addressOf({ remoteAddr }: Peer): string | undefined {
  return "hostname" in remoteAddr ? remoteAddr.hostname : undefined;
}

/** Handler of the runtime's HTTP server. */
export type RequestHandler = (request: Request, peer: Peer) => MaybeAsync<Response>;

type OnServed = (served: Served, call: Call) => void;

/**
 * Makes the request handler. It responds synchronously when there is nothing to wait for.
 *
 * @param onServed called after every request.
 */
export function makeApp(
  routes: readonly Route[],
  services: Services,
  onServed: OnServed,
): RequestHandler {
  const routeOf = finder(routes);
  const OwnCall = callsWith(services);
  return (request, peer) => {
    const call = new OwnCall(request, peer);
    const response = answer(routeOf(call), call, onServed);
    return call.method === "HEAD"
      ? andThen(response, (full) => new Response(null, full))
      : response;
  };
}

/** Finds the route of a request. A proxy asks for the same one again and again, so the last one is kept. */
function finder(routes: readonly Route[]): (head: RequestHead) => Route {
  const router = new RegExpRouter<Route>();
  for (const route of routes) {
    const { method, path } = route;
    if (method !== "ANY") router.add(method, path, route);
    router.add("ALL", path, method === "ANY" ? route : notAllowed(route));
  }
  let last = { method: "", url: "", route: NOT_FOUND };
  return ({ method, url }) => {
    if (url !== last.url || method !== last.method) {
      const [found] = router.match(method === "HEAD" ? "GET" : method, rawPath(url));
      last = { method, url, route: found[0]?.[0] ?? NOT_FOUND };
    }
    return last.route;
  };
}

/**
 * Calls that have the services by their prototype: to copy them would cost every request. The head is read once, since
 * each look at the runtime's own object checks again what kind of object it is.
 */
function callsWith(services: Services) {
  class OwnCall {
    readonly method: string;
    readonly url: string;
    readonly headers: Headers;

    constructor(readonly request: Request, readonly peer: Peer) {
      this.method = request.method;
      this.url = request.url;
      this.headers = request.headers;
    }

    get address(): string | undefined {
      return addressOf(this.peer);
    }
  }
  Object.assign(OwnCall.prototype, services);
  return OwnCall as new (request: Request, peer: Peer) => OwnCall & Services;
}

// Not normalised, so that a rule of a proxy about a path applies to the path that is matched here.
function rawPath(url: string): string {
  return /^[\w+]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

function answer(
  route: Route,
  call: Call,
  onServed: OnServed,
): MaybeAsync<Response> {
  const start = performance.now();
  const { method } = call;
  const chunked = isChunked(call);
  const finish = (response: Response, error?: unknown) =>
    andThen(hasNoBody(method) ? undefined : discardBody(call.request), () => {
      const { code } = error === undefined ? {} : statusAndCode(error);
      onServed({
        route: route.path,
        method: METHODS.includes(method) ? method : "other",
        status: response.status,
        code,
        milliseconds: performance.now() - start,
        bug: code === "internal" ? error : undefined,
      }, call);
      const complete = finished(response, route.compressed && error === undefined);
      return chunked ? lastOfConnection(complete) : complete;
    });
  return tryThen(
    () => guarded(route, call, chunked),
    finish,
    (error) => finish(refusal(call.remote ? withoutPlaces(error) : error), error),
  );
}

// The runtime hides the body of such a request, if it has one.
function hasNoBody(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

function guarded(route: Route, call: Call, chunked: boolean): MaybeAsync<Response> {
  const { names, remote } = call;
  rejectMalformedHost(call);
  if (chunked) rejectAmbiguousLength(call);
  if (!route.anySite) rejectForeignSite(call, names);
  if (route.query === "refused") rejectQuery(route, call);
  return remote
    ? andThen(remoteHandler(route, call), (handler) => handler(call))
    : route.handler(call);
}

function rejectQuery({ path }: Route, { url }: RequestHead): void {
  if (!/\?[^#]/.test(url)) return;
  const hint =
    "Put parameters into the body; only /auth takes requirements for a token in its query";
  throw new HttpRefusal("bad_request", `Cannot answer: ${path} takes no query`, {}, hint);
}

// If other machines can connect, routes that reveal more than the client's own token need a scope.
function remoteHandler({ bearer, handler }: Route, call: Call): MaybeAsync<Route["handler"]> {
  if (typeof bearer !== "object") return handler;
  const { verifyBearer, isScraper } = call;
  const { remoteScope, scraped } = bearer;
  if (scraped !== undefined && isScraper(bearerToken(credentials(call)))) return scraped;
  return andThen(verifyBearer(call), (verified) => {
    requireScope(verified, remoteScope);
    return handler;
  });
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

// A handler may return the same response many times; its headers are completed once.
const FINISHED = Symbol("finished");

type OwnResponse = Response & { [FINISHED]?: true };

/** A response without a body, which can be sent any number of times. */
export function bodyless(status: number, headers: Record<string, string>): Response {
  const all = { ...headers, "cache-control": "no-store" };
  const answer: OwnResponse = new Response(null, { status, headers: all });
  answer[FINISHED] = true;
  return answer;
}

/** Adds the headers that every response has. @param compressed {@linkcode Route.compressed}, and no error. */
export function finished(answer: OwnResponse, compressed = false): Response {
  if (answer[FINISHED]) return answer;
  answer[FINISHED] = true;
  if (!answer.headers.has("cache-control")) {
    answer.headers.set("cache-control", compressed ? "no-store" : "no-store, no-transform");
  }
  if (!hasBody(answer)) return answer;
  answer.headers.set("x-content-type-options", "nosniff");
  answer.headers.set("referrer-policy", "no-referrer");
  return answer;
}

/** Makes a response close its connection. */
function lastOfConnection(answer: Response): Response {
  // A response without a body may be sent again to other requests, so a copy is changed.
  const last = hasBody(answer) ? answer : new Response(null, answer);
  last.headers.set("connection", "close");
  return last;
}

// Every body of ours has a type. Accessing `body` itself would create a stream.
function hasBody({ headers }: Response): boolean {
  return headers.has("content-type");
}
