import assert from "node:assert/strict";
import type { Reply } from "../../http/raw_http.ts";
import type { Serving } from "../../http/serving.ts";
import { ask, type Case, raw, WORD } from "./request.ts";

/** Targets that are, or look like, the one for which the token is. */
export function targets(admin: string): Case[] {
  const bearer = [`Authorization: Bearer ${admin}`];
  const target = (path: string, status: number, by?: "runtime"): Case => ({
    name: `POST ${path.slice(0, 60)}`,
    send: ask(`POST ${path}`, bearer, ""),
    status,
    ...by === undefined ? {} : { by },
  });
  return [
    // What is below /auth/ is Envoy's client's path: it is never followed.
    target("/auth/../rotate", 200),
    target(`/auth/..%2frotate?${WORD}`, 200),
    ...["//rotate", "/%2e%2e/rotate", "/./rotate", "/auth%2f", "/auth%2f..%2frotate", "/ROTATE"]
      .map((path) => target(path, 404)),
    ...[
      "/rotate/",
      "/rotate;a",
      "/rotate%00",
      "/%72otate%20",
      "/%72otate",
      "/\\rotate",
      `/${WORD}`,
      "/*",
      "/%",
    ]
      .map((path) => target(path, 404)),
    target(`/${WORD.repeat(1_000)}`, 404),
    target(`/${WORD.repeat(6_000)}`, 414, "runtime"),
    ...["/a\0b", "/a\rb", "/a\r\nX: b", "/a b", "/\xff", "rotate", "*", "http://[/rotate"]
      .map((path) => target(path, 400, "runtime")),
    { name: "OPTIONS *", send: ask("OPTIONS *"), status: 404 },
    { name: "CONNECT", send: ask("CONNECT 127.0.0.1:80"), status: 404 },
    { name: "/healthz with a query", send: ask(`GET /healthz?token=${WORD}`), status: 200 },
    { name: "a target with our name", send: ask("GET http://127.0.0.1/healthz"), status: 200 },
    ...[
      "http://evil.example/healthz",
      "http://127.0.0.1@evil.example/",
      "http://evil.example:99999/",
    ]
      .flatMap((url) => [ask(`GET ${url}`), raw(`GET ${url}`)])
      .map((send) => ({ name: "a foreign target", send, status: 421 })),
  ];
}

/** Every route with the methods that it does not take. */
export async function methods(serving: Serving): Promise<Case[]> {
  const { paths } = await (await serving.get("/openapi.json")).json();
  const routes = Object.entries(paths as Record<string, object>)
    .filter(([path]) => !path.includes("{"));
  assert.ok(routes.length > 12);
  return routes.flatMap(([path, described]) => {
    const allow = Object.keys(described).join().toUpperCase().replace("GET", "GET, HEAD");
    return ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "post"]
      .filter((method) => !allow.includes(method))
      .map((method) => ({
        name: `${method} ${path}`,
        send: ask(`${method} ${path}`),
        status: 405,
        check: ({ headers }: Reply) => assert.equal(headers.get("allow"), allow),
      }));
  });
}
