import assert from "node:assert/strict";
import { bodies } from "../support/attacks/bad_requests/bodies.ts";
import { framing } from "../support/attacks/bad_requests/framing.ts";
import { headers, names } from "../support/attacks/bad_requests/heads.ts";
import { ask, type Case, JSON_TYPE, meet, WORD } from "../support/attacks/bad_requests/request.ts";
import { methods, targets } from "../support/attacks/bad_requests/targets.ts";
import { Box } from "../support/process/box.ts";
import { converse, Line, memory } from "../support/http/raw_http.ts";
import { Serving } from "../support/http/serving.ts";

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
