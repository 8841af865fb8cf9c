import type { Route } from "../route.ts";

// Only files of this server, and no way for text to become a script.
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
  file("/", "The status page", "text/html; charset=utf-8", "html"),
  file("/page.css", "Its style", "text/css; charset=utf-8", "style"),
  file("/page.js", "Its script", "text/javascript; charset=utf-8", "script"),
  file("/uplot.js", "uPlot, which draws its charts", "text/javascript; charset=utf-8", "library"),
  file("/uplot.css", "uPlot's style", "text/css; charset=utf-8", "libraryStyle"),
  {
    method: "GET",
    path: "/favicon.ico",
    summary: "No icon: browsers request one",
    answers: { 204: { description: "No icon" } },
    handler: () => new Response(null, { status: 204 }),
  },
];

function file(
  path: string,
  summary: string,
  type: string,
  name: keyof typeof import("page-files").files,
): Route {
  const headers = {
    "content-type": type,
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
  };
  return {
    method: "GET",
    path,
    compressed: true,
    summary,
    answers: { 200: { description: summary, type: type.split(";")[0]! } },
    handler: async () => new Response((await import("page-files")).files[name], { headers }),
  };
}
