import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { until } from "../support/timing/pause.ts";
import { Line, memory, parse } from "../support/http/raw_http.ts";
import { Serving } from "../support/http/serving.ts";
import { quickest, took } from "../support/timing/took.ts";

const HALF = "GET /healthz HTTP/1.1\r\nHost: localh";
const WHOLE = `${HALF}ost\r\n\r\n`;
const LOGIN = [
  "POST /login HTTP/1.1",
  "Host: localhost",
  "Content-Type: application/json",
  "Content-Length: 40",
  "Expect: 100-continue",
].join("\r\n") + "\r\n\r\n";

async function withSecret(): Promise<Box> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  return box;
}

function portOf({ url }: Serving): number {
  return Number(new URL(url).port);
}

const FILES = 200;

/** Has the server open no file whose number is not below that. */
async function allowFiles({ process }: Serving, count: number): Promise<void> {
  const args = [`--pid=${process.pid}`, `--nofile=${count}:${FILES}`];
  assert.ok((await new Deno.Command("prlimit", { args }).output()).success);
}

/** How many sockets listen on a port. */
function listening(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  return Deno.readTextFileSync("/proc/net/tcp").split("\n")
    .filter((line) => line.includes(`${local}00000000:0000 0A`)).length;
}

async function isWell(serving: Serving): Promise<boolean> {
  try {
    return (await (await serving.get("/healthz")).json()).status === "ok";
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function close(lines: readonly Line[]): void {
  lines.forEach((line) => line[Symbol.dispose]());
}

/** A byte a second, as long as the other end listens. */
async function dribble(line: Line, text: string): Promise<void> {
  try {
    for (const byte of text) {
      await line.say(byte);
      const second = Promise.withResolvers<void>();
      const timer = setTimeout(second.resolve, 1_000);
      await Promise.race([second.promise, line.closed]);
      clearTimeout(timer);
    }
  } catch (error) {
    assert.match(String(error), /pipe|reset/i);
  }
}

Deno.test("a client that sends a byte a second delays no one else; its body has ten seconds", async () => {
  using box = await withSecret();
  await using serving = await Serving.start(box);
  const start = Date.now();
  const [header, stalled, body] = await Promise.all(
    [1, 2, 3].map(() => Line.to(portOf(serving))),
  ) as [Line, Line, Line];
  const slowly = [dribble(header, WHOLE.slice(0, 11))];
  await stalled.say(`${LOGIN}{`);
  await body.say(LOGIN);
  slowly.push(dribble(body, " ".repeat(20)));
  for (let i = 0; i < 20; i++) assert.ok(await isWell(serving));
  for (const line of [stalled, body]) {
    const late = (await line.replies(2))[1]!;
    assert.equal(late.status, 408);
    assert.equal(late.headers.get("connection"), "close");
    assert.equal(JSON.parse(late.body).code, "request_timeout");
  }
  // A body that could take its time would have come after twenty seconds.
  const waited = Date.now() - start;
  assert.ok(waited > 9_500 && waited < 19_000, `${waited} ms`);
  await Promise.all([body.closed, ...slowly]);
  // A header may take as long as it likes: the runtime's server has no limit.
  await header.say(WHOLE.slice(11));
  assert.equal((await header.replies(1))[0]!.status, 200);
  close([header, stalled, body]);
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("two thousand half-open connections keep no one else waiting", async () => {
  using box = await withSecret();
  const before = "ulimit -Sn 1024";
  await using serving = await Serving.start(box, [], { before });
  const ask50 = async () => {
    for (let i = 0; i < 50; i++) assert.ok(await isWell(serving));
  };
  const usual = await took(ask50);
  const { pid } = serving.process;
  const empty = memory(pid).now;
  const lines: Line[] = [];
  while (lines.length < 2_000) {
    const some = await Promise.all(Array.from({ length: 50 }, () => Line.to(portOf(serving))));
    await Promise.all(some.map((line) => line.say(HALF)));
    lines.push(...some);
  }
  await until(() => [...Deno.readDirSync(`/proc/${pid}/fd`)].length > 2_000);
  const isPrompt = (ms: number) => ms < 2_000 + 5 * usual;
  const beside = await quickest(isPrompt, ask50);
  assert.ok(isPrompt(beside), `${beside} ms, and ${usual} ms without them`);
  const grown = memory(pid).now - empty;
  assert.ok(grown < 100, `${grown} MiB`);
  close(lines);
  await until(() => [...Deno.readDirSync(`/proc/${pid}/fd`)].length < 100);
  assert.equal((await serving.stop()).code, 0);
});

for (const workers of ["1", "2"]) {
  Deno.test(`a server of ${workers} that ran out of files listens again once there are some, though clients stay`, async () => {
    using box = await withSecret();
    const token = await box.token();
    const before = `ulimit -n ${FILES}`;
    await using serving = await Serving.start(box, ["--workers", workers], { before });
    const lines: Line[] = [];
    try {
      while (lines.length < 400) {
        const line = await Line.to(portOf(serving));
        lines.push(line);
        await line.say(WHOLE);
        await line.replies(1);
      }
      assert.fail("there was no end of files");
    } catch (error) {
      assert.match(String(error), /refused|reset|pipe|answers were due/i);
    }
    // A listener that was closed, or a connection, may leave room for a file or two.
    await allowFiles(serving, 3);
    close(lines.splice(-1));
    assert.ok(lines.length > 100, String(lines.length));
    assert.ok(!await isWell(serving));
    // Those that it has are answered, though there is no file for the database.
    const staying = lines.splice(0, 10);
    const ask = async (line: Line) => {
      const count = parse(line.heard).length + 1;
      const request = `GET /session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}`;
      await line.say(`${request}\r\n\r\n`);
      return (await line.replies(count)).at(-1)!.status;
    };
    for (const line of staying) assert.equal(await ask(line), 503);
    await allowFiles(serving, FILES);
    close(lines);
    await until(() => isWell(serving));
    await until(() => listening(portOf(serving)) >= Number(workers));
    // A refusal is remembered for a while.
    for (const line of staying) await until(async () => await ask(line) === 200);
    close(staying);
    await until(() => isWell(serving));
    assert.equal((await serving.stop()).code, 0);
    assert.doesNotMatch(serving.stdout + serving.stderr, /bug/);
  });
}

Deno.test("at SIGTERM requests in flight are answered; one that never ends holds it ten seconds", async () => {
  using box = await withSecret();
  await using serving = await Serving.start(box);
  const [finished, endless] = await Promise.all([1, 2].map(() => Line.to(portOf(serving)))) as [
    Line,
    Line,
  ];
  for (const line of [finished, endless]) {
    await line.say(LOGIN);
    // 100 Continue: the handler is at it.
    await line.replies(1);
    await line.say('{"name":"unknown",');
  }
  const start = Date.now();
  const stopping = serving.stop();
  await until(() => Line.to(portOf(serving)).then((line) => (close([line]), false), () => true));
  await finished.say('"password":"not a word"');
  const answer = (await finished.replies(2))[1]!;
  assert.equal(answer.status, 400, "it is no JSON without its last bracket");
  assert.equal((await stopping).code, 0);
  assert.ok(Date.now() - start < 60_000);
  close([finished, endless]);
});
