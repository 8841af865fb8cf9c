import assert from "node:assert/strict";
import { Box } from "../support/box.ts";
import { converse, Line, memory, parse, type Reply } from "../support/raw_http.ts";
import { Serving } from "../support/serving.ts";

/** One thing that a client may send, and the status that it gets. */
interface Case {
  readonly name: string;
  readonly send: Iterable<string>;
  readonly status: number;
  /** Who makes the answer; the runtime's server refuses without a body what is no HTTP. */
  readonly by?: "runtime";
  readonly check?: (reply: Reply) => void;
}

// It stands in paths, names and values of what is sent, and must stand nowhere else.
const WORD = "leak-me-9f3a";
const JSON_TYPE = "Content-Type: application/json";
const FORM_TYPE = "Content-Type: application/x-www-form-urlencoded";
const MEBIBYTE = "a".repeat(2 ** 20);

/** A request as it is written here. */
function raw(line: string, headers: string[] = [], body = ""): string[] {
  return [`${[`${line} HTTP/1.1`, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n${body}`];
}

/** A request with a `Host`, and with the length of its body. */
function ask(line: string, headers: string[] = [], body?: string): string[] {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  return raw(line, ["Host: 127.0.0.1", ...headers, ...length], body);
}

function* declared(line: string, headers: string[]): Iterable<string> {
  yield* ask(line, [...headers, `Content-Length: ${100 * MEBIBYTE.length}`]);
  for (let i = 0; i < 100; i++) yield MEBIBYTE;
}

function* chunked(line: string, headers: string[]): Iterable<string> {
  yield* ask(line, [...headers, "Transfer-Encoding: chunked"]);
  for (let i = 0; i < 100; i++) yield `${MEBIBYTE.length.toString(16)}\r\n${MEBIBYTE}\r\n`;
  yield "0\r\n\r\n";
}

/** Bodies that no JSON route takes. */
function badJson(path: string, headers: string[], member: string): Case[] {
  const post = `POST ${path}`;
  const typed = [JSON_TYPE, ...headers];
  const bodies: [name: string, body: string, status?: number][] = [
    ["broken JSON", `{"${member}":"${WORD}`],
    ["two JSON texts", "{}{}"],
    ["a member twice", `{"${member}":"${WORD}","${member}":"1"}`],
    ["a wrong type", `{"${member}":["${WORD}"]}`],
    ["an array", `["${WORD}"]`],
    ["null", "null"],
    ["an unknown member", `{"${member}":"1","${WORD}":1}`],
    ["__proto__", `{"${member}":"1","__proto__":{"${WORD}":1}}`],
    ["60,000 open brackets", "[".repeat(60_000)],
    ["60,000 brackets", "[".repeat(30_000) + "]".repeat(30_000)],
    ["60,000 brackets in a member", `{"${member}":${"[".repeat(30_000)}${"]".repeat(30_000)}}`],
    ["not UTF-8", `{"${member}":"\xff\xfe"}`],
    ["UTF-16", `{\0"\0${member}\0`],
    ["a NUL in a string", `{"${member}":"\\u0000"}`],
    ["65,537 bytes", `{"${member}":"${"a".repeat(65_524 - member.length + 6)}"}`, 413],
  ];
  return [
    ...bodies.map(([name, body, status = 400]) => ({
      name: `${path}: ${name}`,
      send: ask(post, typed, body),
      status,
    })),
    { name: `${path}: no type`, send: ask(post, headers, "{}"), status: 415 },
    {
      name: `${path}: a form`,
      send: ask(post, [FORM_TYPE, ...headers], `token=${WORD}`),
      status: 415,
    },
    {
      name: `${path}: gzip`,
      send: ask(post, [...typed, "Content-Encoding: gzip"], "{}"),
      status: 415,
    },
    { name: `${path}: 100 MB declared`, send: declared(post, typed), status: 413 },
    { name: `${path}: 100 MB in chunks`, send: chunked(post, typed), status: 413 },
    {
      name: `${path}: the body cut off`,
      send: ask(post, [...typed, "Transfer-Encoding: chunked"]).concat("zz\r\n"),
      status: 400,
    },
  ];
}

function bodies(admin: string, token: string, more: string[]): Case[] {
  const session = [`Authorization: Bearer ${token}`];
  const introspect = (name: string, body: string, status: number, type = FORM_TYPE): Case => ({
    name: `/introspect: ${name}`,
    send: ask("POST /introspect", [type], body),
    status,
  });
  const logout = (name: string, make: (head: string[]) => Iterable<string>): Case[] => [
    { name: `/logout: ${name}, no token`, send: make([]), status: 401 },
    {
      name: `/logout: ${name}`,
      send: make([`Authorization: Bearer ${more.pop()}`]),
      status: 204,
    },
  ];
  return [
    ...badJson("/verify", [], "token"),
    ...badJson("/login", [], "name"),
    ...badJson("/rotate", [`Authorization: Bearer ${admin}`], "reason"),
    { name: "/verify: empty", send: ask("POST /verify", [JSON_TYPE], ""), status: 400 },
    { name: "/login: empty", send: ask("POST /login", [JSON_TYPE], ""), status: 400 },
    { name: "/rotate: not an admin", send: ask("POST /rotate", session, ""), status: 403 },
    { name: "/rotate: no token", send: ask("POST /rotate", [JSON_TYPE], "{}"), status: 401 },
    {
      name: "/verify: no token",
      send: ask("POST /verify", [JSON_TYPE], `{"token":"${WORD}"}`),
      status: 401,
    },
    introspect("empty", "", 400),
    introspect("JSON", `{"token":"${WORD}"}`, 415, JSON_TYPE),
    introspect("a member twice", `token=${WORD}&token=b`, 400),
    introspect("an unknown member (RFC 7662 allows it)", `token=${WORD}&${WORD}=1`, 200),
    introspect("not UTF-8", "token=\xff\xfe%ff", 200),
    introspect("60,000 brackets", "[".repeat(60_000), 400),
    {
      name: "/introspect: 100 MB declared",
      send: declared("POST /introspect", [FORM_TYPE]),
      status: 413,
    },
    {
      name: "/introspect: 100 MB in chunks",
      send: chunked("POST /introspect", [FORM_TYPE]),
      status: 413,
    },
    // Its body is not looked at.
    ...logout("empty", (head) => ask("POST /logout", head, "")),
    ...logout("broken JSON", (head) => ask("POST /logout", [JSON_TYPE, ...head], "{")),
    ...logout("100 MB in chunks", (head) => chunked("POST /logout", head)),
  ];
}

function headers(token: string): Case[] {
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

function names(port: number): Case[] {
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
    ...["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:65535"].map((name) => host(200, name)),
    // The runtime does not say that there was none; a browser always sends one.
    host(200),
    host(421, "127.0.0.1", "127.0.0.1"),
    host(421, "127.0.0.1", `${WORD}.example`),
    ...[
      "",
      `${WORD}.example`,
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "localhost.",
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

function targets(admin: string): Case[] {
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

function framing(): Case[] {
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

async function methods(serving: Serving): Promise<Case[]> {
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

/** Sends it, and checks what is so of every answer. */
async function meet(port: number, { name, send, status, by, check }: Case): Promise<void> {
  const heard = await converse(port, send);
  const [reply] = parse(heard);
  assert.ok(reply !== undefined, `${name}: no answer, ${JSON.stringify(heard)}`);
  const { headers, body } = reply;
  assert.equal(reply.status, status, `${name}: ${body}`);
  assert.ok(!heard.includes(WORD), `${name}: ${heard}`);
  if (by === "runtime") return assert.equal(body, "", name);
  assert.equal(headers.get("cache-control"), "no-store", name);
  if (status === 401) assert.match(headers.get("www-authenticate") ?? "", /^Bearer realm/, name);
  // A verdict of /verify has the members of `rekey verify --json`.
  if (status >= 400 && !body.startsWith('{"valid":false,')) {
    assert.equal(headers.get("content-type"), "application/problem+json", name);
    assert.equal(JSON.parse(body).status, status, name);
  }
  check?.(reply);
}

Deno.test("whatever a client sends, it gets the status that is meant for it, and no more is said", async (t) => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  const admin = await box.token("root", "--scope", "admin");
  const more = [await box.token(), await box.token(), await box.token()];
  await using serving = await Serving.start(box);
  const port = Number(new URL(serving.url).port);
  const { pid } = serving.process;
  // What is loaded with the first requests is no growth.
  for (const path of ["/", "/status.json", "/metrics"]) await (await serving.get(path)).text();
  assert.ok(await (await serving.post("/verify", { token })).json());
  const before = memory(pid);
  let met = 0;
  const groups: [string, Case[]][] = [
    ["bodies", bodies(admin, token, more)],
    ["headers", headers(token)],
    ["Host and Origin", names(port)],
    ["targets", targets(admin)],
    ["where a request ends", framing()],
    ["methods", await methods(serving)],
  ];
  for (const [group, cases] of groups) {
    await t.step(group, async () => {
      for (const one of cases) await meet(port, one);
      assert.deepEqual(await (await serving.get("/healthz")).json(), { status: "ok" });
      met += cases.length;
    });
  }
  await t.step("HEAD answers as GET does, without the body", async () => {
    const heard = await converse(port, ask("HEAD /status.json"));
    assert.match(heard, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n$/s);
  });
  await t.step("answers to requests at once come in their order", async () => {
    using line = await Line.to(port);
    const paths = Array.from({ length: 60 }, (_, i) => ["/healthz", "/auth", `/${WORD}`][i % 3]!);
    await line.say(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(""));
    const statuses = (await line.replies(paths.length)).map(({ status }) => status);
    assert.deepEqual(statuses, paths.map((_, i) => [200, 401, 404][i % 3]));
  });
  await t.step("no memory is left behind, nothing was rotated and nothing is logged", async () => {
    const after = memory(pid);
    const grown = { now: after.now - before.now, most: after.most - before.most };
    assert.ok(grown.now < 100 && grown.most < 100, JSON.stringify(grown));
    assert.equal((await (await serving.get("/status.json")).json()).version, 1);
    // A password costs 128 MiB for a moment: not before the memory was looked at.
    await meet(port, {
      name: "/login: a wrong password",
      send: ask("POST /login", [JSON_TYPE], `{"name":"${WORD}","password":"${WORD}"}`),
      status: 401,
    });
    assert.equal((await serving.stop()).code, 0);
    assert.equal(serving.stderr.trim(), `listening on ${serving.url}`);
    const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.length > met - 40, `${lines.length} lines of ${met} requests`);
    assert.deepEqual(lines.filter(({ status, bug }) => status >= 500 || bug !== undefined), []);
    for (const word of [WORD, token, admin, "evil", "%2", "..", "BREW"]) {
      assert.ok(!serving.stdout.includes(word), word);
    }
  });
});
