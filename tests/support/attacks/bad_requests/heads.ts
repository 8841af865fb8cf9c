import assert from "node:assert/strict";
import { ask, type Case, MEBIBYTE, raw, WORD } from "./request.ts";

/** Headers: the one with the token, large ones, many, folded ones. */
export function headers(token: string): Case[] {
  const authorization = (name: string, values: string[], status: number, code?: string): Case => ({
    name: `Authorization: ${name}`,
    send: ask("GET /auth", values.map((value) => `Authorization:${value}`)),
    status,
    check: ({ body }) => code === undefined || assert.equal(JSON.parse(body).code, code),
  });
  const many = Array.from({ length: 300 }, (_, i) => `X-${i}: ${WORD}`);
  return [
    authorization("valid", [` Bearer ${token}`], 204),
    authorization("in lower case", [` bearer ${token}`], 204),
    authorization("two spaces", [` Bearer  ${token}`], 204),
    authorization("none", [], 401, "malformed"),
    authorization("empty", [""], 401, "malformed"),
    authorization("twice", [` Bearer ${token}`, ` Bearer ${token}`], 401, "malformed"),
    authorization("another scheme", [" Basic bGVhazptZQ=="], 401, "malformed"),
    authorization("no token", [" Bearer"], 401, "malformed"),
    authorization("a tab", [` Bearer\t${token}`], 401, "malformed"),
    authorization("a byte above 127", [" Bearer \xe9"], 401, "malformed"),
    authorization("20 KB", [` Bearer ${"a".repeat(20_000)}`], 401, "too_large"),
    { name: "a header of 1 MB", send: ask("GET /auth", [`X: ${MEBIBYTE}`]), status: 431 },
    { name: "300 headers", send: ask("GET /healthz", many), status: 431 },
    { name: "90 headers", send: ask("GET /healthz", many.slice(0, 90)), status: 200 },
    { name: "a folded header", send: ask("GET /healthz", ["X: a", " b"]), status: 400 },
    { name: "a space before a colon", send: ask("GET /healthz", ["X : a"]), status: 400 },
  ].map((one) => ({ ...one, ...[431, 400].includes(one.status) ? { by: "runtime" } : {} } as Case));
}

/** Names of this server, and of others. */
export function names(port: number): Case[] {
  const host = (status: number, ...values: string[]): Case => ({
    name: `Host ${values}`,
    send: raw("GET /healthz", values.map((value) => `Host: ${value}`)),
    status,
  });
  const origin = (status: number, value: string): Case => ({
    name: `Origin ${value}`,
    send: raw("GET /healthz", [`Host: 127.0.0.1:${port}`, `Origin: ${value}`]),
    status,
  });
  return [
    ...["127.0.0.1", "localhost", "LOCALHOST:1", "localhost.", "[::1]:65535"].map((name) =>
      host(200, name)
    ),
    // The runtime does not say that there was none; a browser always sends one.
    host(200),
    host(421, "127.0.0.1", "127.0.0.1"),
    host(421, "127.0.0.1", `${WORD}.example`),
    ...[
      "",
      `${WORD}.example`,
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "10.99.99.99",
      "127.1",
    ]
      .map((name) => host(421, name)),
    ...[
      "user@127.0.0.1",
      "127.0.0.1:port",
      "127.0.0.1:123456",
      "127.0.0.1/x",
      "127.0.0.1, a",
      "\xe9",
    ]
      .map((name) => host(421, name)),
    origin(200, `http://127.0.0.1:${port}`),
    ...["null", "", `https://${WORD}.example`, "http://127.0.0.1:1", `http://localhost:${port}`]
      .map((value) => origin(403, value)),
    origin(403, `http://127.0.0.1:${port} http://evil.example`),
    origin(403, `file://127.0.0.1:${port}`),
  ];
}
