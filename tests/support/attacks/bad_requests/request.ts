import assert from "node:assert/strict";
import { converse, parse, type Reply } from "../../http/raw_http.ts";

/** One thing that a client may send, and the status that it gets. */
export interface Case {
  readonly name: string;
  readonly send: Iterable<string>;
  readonly status: number;
  /** Who makes the answer; the runtime's server refuses without a body what is no HTTP. */
  readonly by?: "runtime";
  readonly check?: (reply: Reply) => void;
}

// It stands in paths, names and values of what is sent, and must stand nowhere else.
export const WORD = "leak-me-9f3a";
export const JSON_TYPE = "Content-Type: application/json";
export const FORM_TYPE = "Content-Type: application/x-www-form-urlencoded";
export const MEBIBYTE = "a".repeat(2 ** 20);

/** A request as it is written here. */
export function raw(line: string, headers: string[] = [], body = ""): string[] {
  return [`${[`${line} HTTP/1.1`, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n${body}`];
}

/** A request with a `Host`, and with the length of its body. */
export function ask(line: string, headers: string[] = [], body?: string): string[] {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  return raw(line, ["Host: 127.0.0.1", ...headers, ...length], body);
}

/** Sends it, and checks what is so of every answer. */
export async function meet(port: number, { name, send, status, by, check }: Case): Promise<void> {
  const heard = await converse(port, send);
  const [reply] = parse(heard);
  assert.ok(reply !== undefined, `${name}: no answer, ${JSON.stringify(heard)}`);
  const { headers, body } = reply;
  assert.equal(reply.status, status, `${name}: ${body}`);
  assert.ok(!heard.includes(WORD), `${name}: ${heard}`);
  if (by === "runtime") return assert.equal(body, "", name);
  // An accepted token's answer has no body that could be compressed.
  const rules = status < 400 ? ["no-store", "no-store, no-transform"] : ["no-store, no-transform"];
  assert.ok(rules.includes(headers.get("cache-control") ?? ""), name);
  if (status === 401) assert.match(headers.get("www-authenticate") ?? "", /^Bearer realm/, name);
  // A verdict of /verify has the members of `rekey verify --json`.
  if (status >= 400 && !body.startsWith('{"valid":false,')) {
    assert.equal(headers.get("content-type"), "application/problem+json", name);
    assert.equal(JSON.parse(body).status, status, name);
  }
  check?.(reply);
}
