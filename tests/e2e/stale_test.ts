import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { must } from "../../scripts/program.ts";
import { Box } from "../support/process/box.ts";
import { Serving } from "../support/http/serving.ts";

// Guarantee 4: an acceptance that began after `rotate` had exited would be a stale one.

const VERIFICATIONS = 10_000;
const MOST = 20 * VERIFICATIONS;
const ROTATIONS = 5;
const CLIENTS = 8;

/** Routes that say whether a token is accepted, and how. */
const ROUTES: [name: string, ask: (serving: Serving, token: string) => Promise<boolean>][] = [
  ["/auth", async (serving, token) => await serving.auth(token) === 204],
  ["/verify", async (serving, token) => {
    return (await (await serving.post("/verify", { token })).json()).valid;
  }],
  ["/introspect", async (serving, token) => {
    const body = new URLSearchParams({ token });
    return (await (await fetch(`${serving.url}/introspect`, { method: "POST", body })).json())
      .active;
  }],
  ["/session", async (serving, token) => {
    const { status, body } = await serving.get("/session", token);
    await body?.cancel();
    return status === 200;
  }],
];

Deno.test("10,000 verifications beside rotations: no acceptance began after a rotation", async () => {
  using box = new Box();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "3", "--no-access-log"]);
  let token = await box.token();
  // What is known: this token's rotation has exited at this instant.
  const ended = new Map<string, number>();
  let asked = 0, accepted = 0, refused = 0, stale = 0, rotations = 0;

  // It was a race: both sides took part in it, however long one of them was stopped.
  const least = VERIFICATIONS / 10;
  const isShort = () => rotations < ROTATIONS || accepted < least || refused < least;
  const goesOn = () => asked < VERIFICATIONS || (isShort() && asked < MOST);
  async function client(turn: number): Promise<void> {
    while (goesOn()) {
      const [, ask] = ROUTES[(turn + asked++) % ROUTES.length]!;
      // The newest token, and at times the one before it.
      const mine = asked % 5 === 0 ? [...ended.keys()].at(-1) ?? token : token;
      const began = performance.now();
      const isAccepted = await ask(serving, mine);
      if (isAccepted) accepted++;
      else refused++;
      if (isAccepted && (ended.get(mine) ?? Infinity) < began) stale++;
    }
  }
  async function rotate(): Promise<void> {
    while (goesOn()) {
      const old = token;
      const { code, stderr } = await box.run(["rotate", "--force"]);
      assert.equal(code, 0, stderr);
      ended.set(old, performance.now());
      rotations++;
      for (const [route, ask] of ROUTES) {
        assert.equal(await ask(serving, old), false, `${route} accepts it right afterwards`);
      }
      token = await box.token();
    }
  }
  await Promise.all([rotate(), ...Array.from({ length: CLIENTS }, (_, turn) => client(turn))]);
  assert.equal(stale, 0);
  assert.ok(!isShort(), `${rotations} rotations, ${accepted} accepted, ${refused} refused`);
});

Deno.test("a revoked session is refused at once, by every thread", async () => {
  using box = new Box();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "3"]);
  for (let round = 0; round < 5; round++) {
    const { token, jti } = await box.json("issue", "--sub", "alice");
    // New connections, so that every thread has it in its memory.
    const statuses = () => Promise.all(Array.from({ length: 24 }, () => authOnce(serving, token)));
    assert.deepEqual(new Set(await statuses()), new Set([204]));
    assert.equal((await box.run(["session", "revoke", jti])).code, 0);
    assert.deepEqual(new Set(await statuses()), new Set([401]));
  }
});

Deno.test("a rotation is seen on every Unix socket at once", async () => {
  using box = new Box();
  await box.run(["init"]);
  const paths = ["1.sock", "2.sock"].map((name) => join(box.home, name));
  await using _serving = await Serving.start(box, paths.flatMap((path) => ["--unix", path]));
  for (let round = 0; round < 5; round++) {
    const token = await box.token();
    for (const path of paths) assert.equal(await authOnSocket(path, token), 204);
    await box.run(["rotate", "--force"]);
    for (const path of paths) assert.equal(await authOnSocket(path, token), 401);
  }
});

Deno.test("a rotation in a copy that was put in the folder's place is seen at once", async () => {
  using box = new Box();
  await box.run(["init"]);
  const folder = dirname(box.database);
  await using serving = await Serving.start(box, ["--workers", "3"]);
  for (let round = 0; round < 5; round++) {
    const token = await box.token();
    const statuses = () => Promise.all(Array.from({ length: 24 }, () => authOnce(serving, token)));
    assert.deepEqual(new Set(await statuses()), new Set([204]));
    Deno.renameSync(folder, `${folder}.${round}`);
    await must("cp", ["-a", `${folder}.${round}`, folder]);
    assert.equal((await box.run(["rotate", "--force"])).code, 0);
    assert.deepEqual(new Set(await statuses()), new Set([401]));
  }
});

Deno.test("of databases that were replaced a server has no more than one for each thread open", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const folder = dirname(box.database);
  const backup = join(box.home, "backup");
  assert.equal((await box.run(["backup", backup])).code, 0);
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const { pid } = serving.process;
  const replace = [
    () => must("sh", ["-c", `mv ${folder} ${folder}.old && cp -a ${folder}.old ${folder}`]),
    () => box.run(["restore", backup, "--force"]),
  ];
  for (let round = 0; round < 10; round++) {
    await replace[round % 2]!();
    await must("rm", ["-rf", `${folder}.old`]);
    const token = await box.token();
    // New connections, so that every thread has opened the file.
    const statuses = await Promise.all(Array.from({ length: 24 }, () => authOnce(serving, token)));
    assert.deepEqual(new Set(statuses), new Set([204]));
  }
  const isGone = (text: string) => text.endsWith(".db-shm (deleted)");
  const open = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => linkOf(pid, name));
  const maps = Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n");
  assert.ok(open.filter(isGone).length <= 3, open.join("\n"));
  // SQLite's own, and one for each of the two threads that look often.
  assert.ok(maps.filter(isGone).length <= 5, maps.filter(isGone).join("\n"));
});

/** Where a descriptor leads to; some are closed while they are listed. */
function linkOf(pid: number, name: string): string {
  try {
    return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** `GET /auth` on a connection of its own. */
async function authOnce(serving: Serving, token: string): Promise<number> {
  const { hostname, port } = new URL(serving.url);
  return await authOn(await Deno.connect({ hostname, port: Number(port) }), token);
}

async function authOnSocket(path: string, token: string): Promise<number> {
  return await authOn(await Deno.connect({ transport: "unix", path }), token);
}

async function authOn(connection: Deno.Conn, token: string): Promise<number> {
  const head = `GET /auth HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(`${head}Connection: close\r\n\r\n`));
  const text = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}
