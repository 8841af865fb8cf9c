import { Hono } from "../libraries/hono.ts";
import { RekeyError } from "../core/errors.ts";
import { asRefusal, bearerToken, challenge } from "./bearer.ts";
import { discardBody } from "./body.ts";
import { isChunked, refuseAmbiguous, refuseForeign, refuseMalformedHost } from "./guard.ts";
import { HttpRefusal, problemResponse, statusAndCode } from "./problem.ts";
import type { Call, Route, Services } from "./route.ts";
import { mustHaveScope } from "./scope.ts";

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

/** What the server says of a connection. */
interface Env {
  Bindings: { address: string | undefined };
}

/**
 * The HTTP interface (design §8) as a function from a request to its answer.
 *
 * @param onServed told of every request.
 */
export function makeApp(
  routes: readonly Route[],
  services: Services,
  onServed: (served: Served) => void,
): Hono<Env> {
  const app = new Hono<Env>({ getPath: rawPath });
  const run = (route: Route, request: Request, address: string | undefined) =>
    answer(route, { ...services, request, address }, onServed);
  for (const route of routes) {
    const { method, path } = route;
    const wrong = notAllowed(route);
    if (method !== "ANY") app.on(method, path, ({ req, env }) => run(route, req.raw, env.address));
    const other = method === "ANY" ? route : wrong;
    app.all(path, ({ req, env }) => run(other, req.raw, env.address));
  }
  app.all("*", ({ req, env }) => run(NOT_FOUND, req.raw, env.address));
  return app;
}

// As it was sent: a proxy in front that forbids a path means the same one.
function rawPath({ url }: Request): string {
  return /^[\w+]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

async function answer(
  route: Route,
  call: Call,
  onServed: (served: Served) => void,
): Promise<Response> {
  const start = performance.now();
  const { request, address } = call;
  const { response, error } = await outcome(route, call);
  const { status } = response;
  await discardBody(request);
  response.headers.set("cache-control", "no-store");
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "no-referrer");
  if (isChunked(request)) response.headers.set("connection", "close");
  const { code } = error === undefined ? {} : statusAndCode(asRefusal(error));
  onServed({
    route: route.path,
    method: METHODS.includes(request.method) ? request.method : "other",
    status,
    code,
    milliseconds: performance.now() - start,
    address,
    bug: code === "internal" ? error : undefined,
  });
  return response;
}

async function outcome(route: Route, call: Call): Promise<{ response: Response; error?: unknown }> {
  try {
    refuseMalformedHost(call.request);
    refuseAmbiguous(call.request);
    if (!route.forProxies) refuseForeign(call.request, call.names);
    if (call.remote) await askForScope(route, call);
    return { response: await route.handler(call) };
  } catch (error) {
    return { response: refusal(error), error };
  }
}

// Where other machines can ask, what tells more than the asker's own token says needs a scope.
async function askForScope({ bearer }: Route, { request, verify }: Call): Promise<void> {
  if (typeof bearer !== "object") return;
  mustHaveScope(await verify(bearerToken(request)), bearer.remoteScope);
}

function refusal(error: unknown): Response {
  const headers: Record<string, string> = {};
  const problem = asRefusal(error);
  if (statusAndCode(problem).status === 401) headers["www-authenticate"] = challenge(error);
  if (error instanceof RekeyError && error.retryAfter !== undefined) {
    headers["retry-after"] = String(error.retryAfter);
  }
  return problemResponse(problem, headers);
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
