import { ask, type Case, FORM_TYPE, JSON_TYPE, MEBIBYTE, WORD } from "./request.ts";

/** Bodies that are not what a route takes: three tokens of `more` are used up. */
export function bodies(admin: string, token: string, more: string[]): Case[] {
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
    introspect("not UTF-8", "token=\xff\xfe%ff", 400),
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

function* declared(line: string, headers: string[]): Iterable<string> {
  yield* ask(line, [...headers, `Content-Length: ${100 * MEBIBYTE.length}`]);
  for (let i = 0; i < 100; i++) yield MEBIBYTE;
}

function* chunked(line: string, headers: string[]): Iterable<string> {
  yield* ask(line, [...headers, "Transfer-Encoding: chunked"]);
  for (let i = 0; i < 100; i++) yield `${MEBIBYTE.length.toString(16)}\r\n${MEBIBYTE}\r\n`;
  yield "0\r\n\r\n";
}
