import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { adapted, documented, Proxy, Upstream } from "../support/proxy/proxies.ts";
import { converse, Line, parse } from "../support/http/raw_http.ts";
import { Serving } from "../support/http/serving.ts";
import { type Carrier, smuggling } from "../support/attacks/smuggling.ts";

// A request that is hidden in another one's body: it must not be taken for a request of its own.

const BODY = '{"token":"x"}';
// It ends the conversation, if there still is one.
const LAST = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

function routes({ stdout }: Serving): string[] {
  return stdout.trim().split("\n").map((line) => JSON.parse(line).route);
}

Deno.test("rekey answers no request that is hidden in another one", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const hidden = `GET /session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${await box
    .token()}\r\n\r\n`;
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const port = Number(new URL(serving.url).port);
  const wrong: string[] = [];
  const headers = ["Host: localhost", "Content-Type: application/json"];
  const carrier: Carrier = { line: "POST /verify HTTP/1.1", headers, body: BODY, hidden };
  const cases = smuggling(carrier);
  for (const { name, text, statuses } of cases) {
    const replies = parse(await converse(port, [text + LAST]));
    if (replies.at(-1)?.body === '{"status":"ok"}') replies.pop();
    const got = replies.map(({ status }) => status);
    if (got.join() !== statuses.join()) wrong.push(`${name}: ${got}, not ${statuses}`);
  }
  assert.deepEqual(wrong, []);
  assert.ok(cases.length > 120, String(cases.length));
  // The hidden one is a request that would have been answered.
  const open = `POST /verify HTTP/1.1\r\n${
    headers.join("\r\n")
  }\r\nContent-Length: 13\r\n\r\n${BODY}`;
  const seen = parse(await converse(port, [open + hidden + LAST])).map(({ status }) => status);
  assert.deepEqual(seen, [401, 200, 200]);
  assert.equal((await serving.stop()).code, 0);
  assert.equal(routes(serving).filter((route) => route === "/session").length, 1);
  assert.doesNotMatch(serving.stdout, /"bug"/);
});

Deno.test("a body that comes late, or is not read, hides no request either", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const port = Number(new URL(serving.url).port);
  const hidden = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const late = async (line: string, host: string) => {
    using connection = await Line.to(port);
    const head = `${line} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hidden.length}\r\n\r\n`;
    await connection.say(head);
    await connection.replies(1);
    await connection.say(hidden + LAST).catch((error) => assert.match(String(error), /pipe|reset/));
    await connection.closed;
  };
  const lines = ["POST /x", "GET /auth", "DELETE /verify", "POST /logout", "HEAD /healthz"];
  await Promise.all(lines.flatMap((line) => [late(line, "localhost"), late(line, "evil.example")]));
  assert.equal((await serving.stop()).code, 0);
  assert.equal(routes(serving).filter((route) => route === "/readyz").length, 0);
});

/** nginx as docs/proxies.md has it, rekey, and an application that tells what reached it. */
async function site(box: Box, change: (config: string) => string = (config) => config) {
  await box.run(["init", "--store", "database"]);
  const tokens = [await box.token("alice"), await box.token("bob")] as [string, string];
  const serving = await Serving.start(box, ["--host", "app.example.com", "--workers", "1"]);
  const upstream = new Upstream();
  const [config] = documented("nginx");
  const proxy = await Proxy.nginx(box, (port) =>
    adapted(change(config!), {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "server 127.0.0.1:8700;": `server ${new URL(serving.url).host};`,
      "server 127.0.0.1:3000;": `server ${upstream.address};`,
    }));
  return {
    tokens,
    serving,
    upstream,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await serving[Symbol.asyncDispose]();
    },
  };
}

Deno.test("behind nginx a hidden request gets no one's rights, and the next client its own answer", async () => {
  using box = new Box();
  await using all = await site(box);
  const { tokens: [alice, bob], serving, upstream, proxy } = all;
  const bearer = (token: string) => `Authorization: Bearer ${token}`;
  const request = (line: string, ...fields: string[]) =>
    [`${line} HTTP/1.1`, "Host: app.example.com", ...fields].join("\r\n") + "\r\n\r\n";
  const headers = ["Host: app.example.com", "Content-Type: application/json"];
  const carriers: Carrier[] = [
    {
      line: "POST /orders HTTP/1.1",
      headers: [...headers, bearer(alice)],
      body: BODY,
      hidden: request("GET /hidden", "X-Auth-Subject: root"),
    },
    // This body goes to rekey, over a connection that others use too.
    {
      line: "POST /login HTTP/1.1",
      headers,
      body: BODY,
      hidden: request("GET /session", bearer(bob)),
    },
  ];
  const last = request("GET /last", "Connection: close");
  const pooled = async (token: string) => {
    const headers: [string, string][] = [["Authorization", `Bearer ${token}`]];
    const { status, body } = await proxy.ask("/after", { headers });
    return status === 200 ? JSON.parse(body).headers["x-auth-subject"] : status;
  };
  for (const carrier of carriers) {
    for (const { name, text } of smuggling(carrier)) {
      assert.notEqual(await converse(proxy.port, [text + last]), "", name);
      const after = await Promise.all([pooled(bob), pooled("none"), pooled(alice)]);
      assert.deepEqual(after, ["bob", 401, "alice"], name);
    }
  }
  const { reached } = upstream;
  const orders = reached.filter(({ path }) => path === "/orders");
  assert.ok(orders.length > 10, String(orders.length));
  assert.ok(orders.every(({ headers }) => headers["x-auth-subject"] === "alice"));
  assert.deepEqual(reached.filter(({ path }) => path === "/hidden" || path === "/last"), []);
  assert.ok(!reached.some(({ headers }) => headers["x-auth-subject"] === "root"));
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual([...new Set(routes(serving))].sort(), ["/auth", "/login"]);
});
