import type { Route } from "../routes.ts";
import { Description, Health, Status } from "../schemas.ts";
import { describe } from "../openapi.ts";
import { script } from "../page/script.ts";
import html from "../page/index.html" with { type: "text" };
import style from "../page/page.css" with { type: "text" };

/** Live: the program answers. */
export const healthz: Route = {
  method: "GET",
  path: "/healthz",
  summary: "Says that the program answers",
  answers: { 200: { description: "It does", schema: Health } },
  handler: () => Response.json({ status: "ok" }),
};

/** Ready: the secret can be had. */
export const readyz: Route = {
  method: "GET",
  path: "/readyz",
  summary: "Says whether tokens can be verified",
  answers: { 200: { description: "They can", schema: Health } },
  async handler({ ready }) {
    await ready();
    return Response.json({ status: "ok" });
  },
};

const TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** For Prometheus. */
export const metrics: Route = {
  method: "GET",
  path: "/metrics",
  summary: "Metrics in Prometheus' text format",
  answers: { 200: { description: "The metrics", type: "text/plain" } },
  bearer: { remoteScope: "metrics" },
  handler: async ({ secretHost }) =>
    new Response(await secretHost.metrics(), { headers: { "content-type": TYPE } }),
};

/** The description of all routes, its own among them. */
export function openapi(routes: () => readonly Route[], version: string): Route {
  let document: object | undefined;
  return {
    method: "GET",
    path: "/openapi.json",
    summary: "This description, OpenAPI 3.1",
    answers: { 200: { description: "The description", schema: Description } },
    handler: () => Response.json(document ??= describe(routes(), version)),
  };
}

// Nothing but our own two files, and no way for a text to become a script.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The status page with its two files. */
export const page: readonly Route[] = [
  file("/", "The status page", "text/html; charset=utf-8", html),
  file("/page.css", "Its style", "text/css; charset=utf-8", style),
  file("/page.js", "Its script", "text/javascript; charset=utf-8", script),
  {
    method: "GET",
    path: "/favicon.ico",
    summary: "None: browsers ask for one",
    answers: { 204: { description: "There is none" } },
    handler: () => new Response(null, { status: 204 }),
  },
];

/** What the page shows. */
export const status: Route = {
  method: "GET",
  path: "/status.json",
  summary: "What the status page shows",
  answers: { 200: { description: "The state of the secret, never its value", schema: Status } },
  bearer: { remoteScope: "metrics" },
  handler: async ({ secretHost }) => Response.json(await secretHost.status()),
};

function file(path: string, summary: string, type: string, content: string): Route {
  const headers = {
    "content-type": type,
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
  };
  return {
    method: "GET",
    path,
    summary,
    answers: { 200: { description: summary, type: type.split(";")[0]! } },
    handler: () => new Response(content, { headers }),
  };
}
