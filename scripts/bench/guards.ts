import { Box } from "../../tests/support/process/box.ts";
import { KnownKey, writeByHand } from "../../tests/support/consumers/by_hand.ts";
import { HaproxyGuard } from "../../tests/support/consumers/haproxy.ts";
import { NginxGuard } from "../../tests/support/consumers/nginx.ts";
import { caddyThatAsks, FILE, nginxThatAsks, SocketServer, TO_APP } from "./asking.ts";
import { KnownSecret } from "./known_secret.ts";
import { type Cost, CostedLoad, type Worked } from "./load.ts";
import { type Goal, inTurn, type Part, type Row } from "./result.ts";
import { rekeyServer, runtimeServer } from "./servers.ts";

const SECONDS = 1;

const OPEN = "nginx, a small file, no guard";
const ASKING = "nginx that asks rekey serve";
const ASKING_SOCKET = `${ASKING} over a Unix socket`;
const ASKING_TWO = `${ASKING} with two threads`;
const ASKING_SOCKETS = `${ASKING} over two Unix sockets`;
const ROTATING = `${ASKING_SOCKET}, while it rotates all the time`;
const ELSEWHERE = `${ASKING_SOCKET}, while another app rotates all the time`;
const FLOOR = "nginx that asks a server that answers a constant";
const KEEPING = "nginx that keeps the answers of rekey serve for a second";
const NJS = "nginx with the delivered keys, by njs";
const LUA = "nginx with the delivered keys, by Lua";
const HAPROXY_OPEN = "HAProxy before nginx, no guard";
const HAPROXY = "HAProxy before nginx, with the delivered keys";
const CADDY_OPEN = "Caddy, a small file, no guard";
const CADDY = "Caddy that asks rekey serve";
const CADDY_FLOOR = "Caddy that asks a server that answers a constant";
// It does not matter to them which token comes.
const UNGUARDED = [OPEN, FLOOR, HAPROXY_OPEN, CADDY_OPEN, CADDY_FLOOR];

const fresh = (name: string) => `${name}, every token new`;
const cost = (name: string) => `processor time of ${name}`;

const most = (to: string, ratio: number): Goal => ({ to, sense: "≥", ratio });
const GOALS: Record<string, Goal[]> = {
  [ASKING]: [most(OPEN, 0.5)],
  [ASKING_SOCKET]: [most(OPEN, 0.5), most(ASKING, 1)],
  [ASKING_SOCKETS]: [most(ASKING_TWO, 1)],
  [KEEPING]: [most(OPEN, 0.5)],
  [CADDY]: [most(CADDY_OPEN, 0.5), most(CADDY_FLOOR, 0.9)],
  [NJS]: [most(ASKING, 2)],
  [fresh(NJS)]: [most(fresh(ASKING), 2)],
  [LUA]: [most(ASKING, 2), most(OPEN, 0.5)],
  [fresh(LUA)]: [most(fresh(ASKING), 2)],
  [HAPROXY]: [most(HAPROXY_OPEN, 0.7)],
  [fresh(HAPROXY)]: [most(HAPROXY_OPEN, 0.7)],
  [cost(ROTATING)]: [
    { to: cost(ASKING_SOCKET), sense: "≤", ratio: 1.25 },
    { to: cost(ELSEWHERE), sense: "≤", ratio: 1.1 },
  ],
  [cost(KEEPING)]: [{ to: cost(OPEN), sense: "≤", ratio: 2 }],
  [cost(NJS)]: [{ to: cost(ASKING), sense: "≤", ratio: 1 }],
  [cost(LUA)]: [{ to: cost(ASKING), sense: "≤", ratio: 0.5 }],
  [cost(HAPROXY)]: [{ to: cost(HAPROXY_OPEN), sense: "≤", ratio: 1.43 }],
};

const OPEN_FILE = `location /open { ${FILE} } location / {`;

/** Requests a second through proxies: unguarded, asking `rekey serve`, and verifying by the keys that rekey delivers. */
export async function guards(rounds: number): Promise<Part> {
  using box = new Box();
  const secret = new KnownSecret(true);
  const key = new KnownKey({ text: secret.text });
  const [seen, unseen] = [`${box.home}/seen`, `${box.home}/new`];
  secret.writeTokens(seen, 100);
  // Three times what rekey remembers.
  secret.writeTokens(unseen, 30_000);
  await Deno.writeTextFile(`${box.home}/file`, "hello\n");
  await writeByHand("nginx", `${box.home}/keys.json`, [key]);
  await writeByHand("haproxy", `${box.home}/keys.map`, [key]);
  await using rekey = await rekeyServer(secret, 1);
  const { host } = new URL(rekey.url);
  await using asking = await nginxThatAsks(host);
  await using socket = await SocketServer.start(secret);
  await using askingSocket = await nginxThatAsks(socket.paths);
  await using rekeyTwo = await rekeyServer(secret, 2);
  await using askingTwo = await nginxThatAsks(new URL(rekeyTwo.url).host);
  await using sockets = await SocketServer.start(secret, 2);
  await using askingSockets = await nginxThatAsks(sockets.paths);
  await using keeping = await nginxThatAsks(socket.paths, true);
  await using rotated = await SocketServer.start(secret);
  await using rotating = await nginxThatAsks(rotated.paths);
  await using elsewhere = await SocketServer.start(secret);
  // It is not held to a core either.
  await using constant = await runtimeServer("bare", box.home, [], false);
  const { host: constantHost } = new URL(constant.url);
  await using floor = await nginxThatAsks(constantHost);
  await using caddyFloor = await caddyThatAsks(constantHost);
  await using caddyOpen = await caddyThatAsks();
  await using caddy = await caddyThatAsks(host);
  const root = `root ${box.home}; ${FILE}`;
  const changes = { [TO_APP]: root, "location / {": OPEN_FILE.replace(FILE, root) };
  const place = { keys: `${box.home}/keys.json`, app: "127.0.0.1:3000", changes };
  await using native = await NginxGuard.start(box, place);
  using luaBox = new Box();
  await using lua = await NginxGuard.start(luaBox, { ...place, preset: "nginx-lua" });
  const app = `127.0.0.1:${native.port}`;
  await using haproxy = await HaproxyGuard.start(box, { keys: `${box.home}/keys.map`, app });
  const guarded = (name: string, port: number, target: string, ...ids: number[]): Guarded => {
    return { name, target, url: `http://127.0.0.1:${port}`, ids };
  };
  const all = [
    guarded(OPEN, native.port, "/open", native.daemon.id),
    guarded(ASKING, asking.port, "/guarded", asking.id, rekey.id),
    guarded(ASKING_SOCKET, askingSocket.port, "/guarded", askingSocket.id, socket.id),
    guarded(ASKING_TWO, askingTwo.port, "/guarded", askingTwo.id, rekeyTwo.id),
    guarded(ASKING_SOCKETS, askingSockets.port, "/guarded", askingSockets.id, sockets.id),
    {
      ...guarded(ROTATING, rotating.port, "/guarded", rotating.id, rotated.id),
      during: (task: () => Promise<number>) => rotated.rotatingDuring(task),
    },
    {
      ...guarded(ELSEWHERE, askingSocket.port, "/guarded", askingSocket.id, socket.id),
      during: (task: () => Promise<number>) => elsewhere.rotatingDuring(task),
    },
    guarded(FLOOR, floor.port, "/guarded", floor.id, constant.id),
    guarded(KEEPING, keeping.port, "/guarded", keeping.id, socket.id),
    guarded(NJS, native.port, "/guarded", native.daemon.id),
    guarded(LUA, lua.port, "/guarded", lua.daemon.id),
    guarded(HAPROXY_OPEN, haproxy.openPort, "/open", haproxy.daemon.id),
    guarded(HAPROXY, haproxy.port, "/open", haproxy.daemon.id),
    guarded(CADDY_OPEN, caddyOpen.port, "/file", caddyOpen.id),
    guarded(CADDY, caddy.port, "/file", caddy.id, rekey.id),
    guarded(CADDY_FLOOR, caddyFloor.port, "/file", caddyFloor.id, constant.id),
  ];
  return { title: "Through a proxy that guards", rows: await measured(all, seen, unseen, rounds) };
}

/** Where requests go, and the processes that work on them, but for what is behind HAProxy. */
interface Guarded extends Worked {
  readonly name: string;
  readonly target: string;
  /** What goes on while requests are sent. */
  readonly during?: (task: () => Promise<number>) => Promise<number>;
}

async function measured(
  all: readonly Guarded[],
  seen: string,
  unseen: string,
  rounds: number,
): Promise<Row[]> {
  const costed = new CostedLoad();
  const send = (name: string, one: Guarded, tokens: string) => {
    const task = () => costed.send(name, one, { tokens, seconds: SECONDS, target: one.target });
    return one.during === undefined ? task() : one.during(task);
  };
  const guarded = all.filter(({ name, during }) => !UNGUARDED.includes(name) && !during);
  const medians = await inTurn([
    ...all.map((one) => ({ name: one.name, run: () => send(one.name, one, seen) })),
    ...guarded.map((one) => ({
      name: fresh(one.name),
      run: () => send(fresh(one.name), one, unseen),
    })),
  ], rounds);
  const row = (unit: string) => ([name, value]: [string, number]): Row => ({
    name,
    value,
    unit,
    goals: GOALS[name] ?? [],
  });
  const figures = (figure: keyof Cost, called: (name: string) => string) =>
    costed.medians(figure)
      .filter(([name]) => all.some((one) => one.name === name))
      .map(([name, value]): [string, number] => [called(name), value]);
  return [
    ...[...medians].map(row("a second")),
    ...figures("processor", cost).map(row("µs a request")),
    ...figures("p50", (name) => `p50 of ${name}`).map(row("ms")),
    ...figures("p99", (name) => `p99 of ${name}`).map(row("ms")),
  ];
}
