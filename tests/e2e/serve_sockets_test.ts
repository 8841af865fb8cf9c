import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";
import { ask } from "../support/proxy/proxies.ts";
import { until } from "../support/timing/pause.ts";
import { infoOf } from "../../src/system/files.ts";

// Several Unix sockets, each with a request thread of its own.

const pathsIn = (box: Box) => ["1.sock", "2.sock"].map((name) => join(box.home, name));

const flagsFor = (paths: readonly string[]) => paths.flatMap((path) => ["--unix", path]);

async function status(path: string, route: string, token?: string): Promise<number> {
  const headers: [string, string][] = token === undefined
    ? []
    : [["Authorization", `Bearer ${token}`]];
  return (await ask({ transport: "unix", path }, route, { headers })).status;
}

async function answers(path: string): Promise<boolean> {
  return await status(path, "/healthz") === 200;
}

/** How many threads of the runtime answer requests in a process. */
function threadsOf({ process: { pid } }: Serving): number {
  const tasks = [...Deno.readDirSync(`/proc/${pid}/task`)];
  const names = tasks.map(({ name }) => Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`));
  return names.filter((name) => name.startsWith("worker-")).length;
}

Deno.test("two Unix sockets: a thread each, both answer, figures add up, and both are gone afterwards", async () => {
  using box = await initialised();
  const paths = pathsIn(box);
  const token = await box.token();
  await using serving = await Serving.start(box, flagsFor(paths));
  await serving.until(() =>
    paths.every((path) => serving.stderr.includes(`listening on ${path}\n`))
  );
  assert.equal(threadsOf(serving), 2);
  for (const path of paths) {
    assert.equal(infoOf(path)!.mode! & 0o777, 0o600);
    assert.equal(await status(path, "/readyz"), 200);
    assert.equal(await status(path, "/auth", token), 204);
  }
  const { body } = await ask({ transport: "unix", path: paths[1]! }, "/metrics");
  assert.match(body, /^rekey_http_requests_total\{route="\/auth",status="204"\} 2$/m);
  await box.run(["rotate", "--force"]);
  for (const path of paths) assert.equal(await status(path, "/auth", token), 401);
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual(paths.map(infoOf), [undefined, undefined]);
});

Deno.test("sockets that a killed server left are taken over", async () => {
  using box = await initialised();
  const paths = pathsIn(box);
  {
    await using killed = await Serving.start(box, flagsFor(paths));
    await killed.stop("SIGKILL");
  }
  assert.ok(paths.every((path) => infoOf(path)!.isSocket));
  await using serving = await Serving.start(box, flagsFor(paths));
  for (const path of paths) assert.ok(await answers(path));
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual(paths.map(infoOf), [undefined, undefined]);
});

Deno.test("a second socket that cannot be had ends the server, and nothing of it is left", async () => {
  using box = await initialised();
  const [mine, other] = pathsIn(box) as [string, string];
  await using first = await Serving.start(box, ["--unix", other]);
  const before = infoOf(other)!.ino;
  const cases: [second: string, reason: RegExp][] = [
    [other, /another program listens there/],
    [join(box.home, "nowhere", "2.sock"), /no such address or folder/],
    ["x".repeat(200), /path is too long for a socket/],
    [box.database, /a file that is not a socket is there/],
  ];
  for (const [second, reason] of cases) {
    const { code, stderr } = await box.run(["serve", ...flagsFor([mine, second])]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, reason);
    assert.equal(infoOf(mine), undefined, second);
  }
  assert.equal(infoOf(other)!.ino, before);
  assert.ok(await answers(other));
  assert.equal((await first.stop()).code, 0);
});

Deno.test("one socket twice, and a number of threads that is not that of the sockets, are refused", async () => {
  using box = await initialised();
  await Deno.mkdir(join(box.home, "folder"));
  await Deno.symlink("folder", join(box.home, "link"));
  const same =
    /^error: Cannot use --unix .*: it is the same socket as another one\nhint: .*another path/;
  const each =
    /^error: Cannot use --workers \d with .* Unix sockets?: .*\nhint: Give --unix once for/;
  const cases: [string[], RegExp][] = [
    [flagsFor(["a.sock", "a.sock"]), same],
    [flagsFor(["a.sock", "./a.sock"]), same],
    [flagsFor(["a.sock", "b.sock", join(box.home, "folder", "..", "a.sock")]), same],
    [flagsFor(["folder/a.sock", "link/a.sock"]), same],
    [[...flagsFor(["a.sock"]), "--workers", "2"], each],
    [[...flagsFor(["a.sock", "b.sock"]), "--workers", "1"], each],
    [
      flagsFor(Array.from({ length: 65 }, (_, n) => `${n}.sock`)),
      /^error: Cannot use 65 Unix sockets: .* at most 64\nhint: Give --unix once for each core/,
    ],
  ];
  for (const [args, text] of cases) {
    const { code, stderr } = await box.run(["serve", ...args]);
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.match(stderr, text);
  }
  const paths = pathsIn(box);
  await using serving = await Serving.start(box, [...flagsFor(paths), "--workers", "2"]);
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("a thread whose socket is removed makes it again, each time, and the other keeps its own", async () => {
  using box = await initialised();
  const [kept, removed] = pathsIn(box) as [string, string];
  await using serving = await Serving.start(box, flagsFor([kept, removed]));
  const before = infoOf(kept)!.ino;
  const open = () => [...Deno.readDirSync(`/proc/${serving.process.pid}/fd`)].length;
  const few = open();
  for (let times = 0; times < 8; times++) {
    await Deno.remove(removed);
    await until(() => answers(removed));
    assert.equal(infoOf(kept)!.ino, before);
  }
  assert.ok(await answers(kept));
  await until(() => open() < few + 4, { otherwise: "the former sockets are still open" });
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual([infoOf(kept), infoOf(removed)], [undefined, undefined]);
});

Deno.test("a thread has its socket back once the program that took its place has ended", async () => {
  using box = await initialised();
  const [kept, taken] = pathsIn(box) as [string, string];
  await using serving = await Serving.start(box, flagsFor([kept, taken]));
  const foreign = Deno.listen({ transport: "unix", path: `${taken}.foreign` });
  Deno.renameSync(`${taken}.foreign`, taken);
  // The runtime deletes the file at the path that it has listened on, which is another one by now.
  foreign.close();
  assert.notEqual(infoOf(taken), undefined);
  await until(() => answers(taken).catch(() => false));
  assert.ok(await answers(kept));
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual([infoOf(kept), infoOf(taken)], [undefined, undefined]);
});

Deno.test("threads that ran out of files listen on their own sockets again", async () => {
  using box = await initialised();
  const paths = pathsIn(box);
  await using serving = await Serving.start(box, flagsFor(paths), { before: "ulimit -n 100" });
  const connections: Deno.Conn[] = [];
  const connect = async (path: string) => {
    connections.push(await Deno.connect({ transport: "unix", path }));
  };
  // The runtime removes a socket that it cannot accept connections on.
  for (const path of paths) {
    for (let count = 0; count < 200 && infoOf(path) !== undefined; count++) {
      await connect(path).catch(() => {});
    }
  }
  await until(() => paths.some((path) => infoOf(path) === undefined));
  connections.forEach((connection) => connection.close());
  for (const path of paths) await until(() => answers(path));
  assert.equal((await serving.stop()).code, 0);
  assert.deepEqual(paths.map(infoOf), [undefined, undefined]);
});

Deno.test("systemd is told that the server is ready once every socket answers", async () => {
  using box = await initialised();
  const paths = pathsIn(box);
  const path = join(box.home, "notify");
  const systemd = Deno.listenDatagram({ transport: "unixpacket", path });
  const starting = Serving.start(box, flagsFor(paths), { env: { NOTIFY_SOCKET: path } });
  assert.equal(new TextDecoder().decode((await systemd.receive())[0]), "READY=1");
  for (const path of paths) assert.ok(await answers(path));
  await using serving = await starting;
  assert.equal((await serving.stop()).code, 0);
  systemd.close();
});
