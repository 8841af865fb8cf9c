import type { Route } from "../routes.ts";
import ask from "../page/ask.js" with { type: "text" };
import charts from "../page/charts.js" with { type: "text" };
import dom from "../page/dom.js" with { type: "text" };
import html from "../page/index.html" with { type: "text" };
import style from "../page/page.css" with { type: "text" };
import main from "../page/page.js" with { type: "text" };
import statusScript from "../page/status.js" with { type: "text" };
import text from "../page/text.js" with { type: "text" };
import verify from "../page/verify.js" with { type: "text" };

// The modules in one file, which a browser loads in one request, each after those that it imports. Top-level names must be
// unique among them, and imports must not rename.
const script = [text, dom, ask, charts, statusScript, verify, main]
  .map((module) => module.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, ""))
  .join("\n");

// Only our own two files, and no way for text to become a script.
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

/** The status page and its files. */
export const page: readonly Route[] = [
  file("/", "The status page", "text/html; charset=utf-8", html),
  file("/page.css", "Its style", "text/css; charset=utf-8", style),
  file("/page.js", "Its script", "text/javascript; charset=utf-8", script),
  {
    method: "GET",
    path: "/favicon.ico",
    summary: "No icon: browsers request one",
    answers: { 204: { description: "No icon" } },
    handler: () => new Response(null, { status: 204 }),
  },
];

/** The data of the status page. */
export const status: Route = {
  method: "GET",
  path: "/status.json",
  summary: "The data of the status page",
  answers: { 200: { description: "The state of the secret, never its value", schema: "Status" } },
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
