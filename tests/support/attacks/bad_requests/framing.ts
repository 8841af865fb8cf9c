import assert from "node:assert/strict";
import { ask, type Case, JSON_TYPE, MEBIBYTE } from "./request.ts";

/** Requests whose end is not where it seems. */
export function framing(): Case[] {
  const verify = (name: string, fields: string[], body: string, by?: "runtime"): Case => ({
    name,
    send: ask("POST /verify", [JSON_TYPE, ...fields]).concat(body),
    status: 400,
    ...by === undefined ? {} : { by },
  });
  const chunks = "Transfer-Encoding: chunked";
  const old = ["Host: localhost", "", ""].join("\r\n");
  return [
    verify("Content-Length twice", ["Content-Length: 2", "Content-Length: 3"], "{}", "runtime"),
    verify("a list as Content-Length", ["Content-Length: 2, 2"], "{}", "runtime"),
    verify("a sign in Content-Length", ["Content-Length: +2"], "{}", "runtime"),
    verify("a Content-Length of 20 digits", [`Content-Length: ${"9".repeat(20)}`], "", "runtime"),
    verify("chunked is not last", ["Transfer-Encoding: chunked, identity"], "", "runtime"),
    verify("a chunk that is too long", [chunks], "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    verify("a trailer of 1 MB", [chunks], `2\r\n{}\r\n0\r\nX: ${MEBIBYTE}\r\n\r\n`),
    {
      ...verify("two lengths", ["Content-Length: 2", chunks], "2\r\n{}\r\n0\r\n\r\n"),
      check: ({ body }) => assert.match(JSON.parse(body).detail, /both Content-Length and/),
    },
    { name: "garbage", send: ["\x00\x01garbage\r\n\r\n"], status: 400, by: "runtime" },
    {
      name: "a TLS hello",
      send: [`\x16\x03\x01\0\xf1\x01\0\0\xed\x03\x03${"\xaa".repeat(235)}`],
      status: 400,
      by: "runtime",
    },
    { name: "HTTP/0.9", send: ["GET /healthz\r\n\r\n"], status: 400, by: "runtime" },
    { name: "HTTP/1.0", send: [`GET /healthz HTTP/1.0\r\n${old}`], status: 200 },
    { name: "HTTP/1.0, no Host", send: ["GET /healthz HTTP/1.0\r\n\r\n"], status: 200 },
    {
      name: "HTTP/1.0 in chunks",
      send: [`POST /verify HTTP/1.0\r\n${chunks}\r\n${old}0\r\n\r\n`],
      status: 400,
      by: "runtime",
    },
    { name: "a body with GET", send: ask("GET /healthz", [], MEBIBYTE), status: 200 },
  ];
}
