import { Box } from "../../tests/support/process/box.ts";
import { KnownKey, writeByHand } from "../../tests/support/consumers/by_hand.ts";
import { HaproxyGuard } from "../../tests/support/consumers/haproxy.ts";
import { NginxGuard } from "../../tests/support/consumers/nginx.ts";
import { adapted, documented, Proxy } from "../../tests/support/proxy/proxies.ts";
import { KnownSecret } from "./known_secret.ts";
import { CostedLoad, type Worked } from "./load.ts";
import { type Goal, inTurn, type Part, type Row } from "./result.ts";
import { rekeyServer } from "./servers.ts";

const SECONDS = 1;

const OPEN = "nginx, a small file, no guard";
const ASKING = "nginx that asks rekey serve";
const NJS = "nginx with the delivered keys, by njs";
const LUA = "nginx with the delivered keys, by Lua";
const HAPROXY_OPEN = "HAProxy before nginx, no guard";
const HAPROXY = "HAProxy before nginx, with the delivered keys";

const fresh = (name: string) => `${name}, every token new`;
const cost = (name: string) => `processor time of ${name}`;

const most = (to: string, ratio: number): Goal => ({ to, sense: "≥", ratio });
const GOALS: Record<string, Goal[]> = {
  [NJS]: [most(ASKING, 2)],
  [fresh(NJS)]: [most(fresh(ASKING), 2)],
  [LUA]: [most(ASKING, 2), most(OPEN, 0.5)],
  [fresh(LUA)]: [most(fresh(ASKING), 2)],
  [HAPROXY]: [most(HAPROXY_OPEN, 0.7)],
  [fresh(HAPROXY)]: [most(HAPROXY_OPEN, 0.7)],
  [cost(NJS)]: [{ to: cost(ASKING), sense: "≤", ratio: 1 }],
  [cost(LUA)]: [{ to: cost(ASKING), sense: "≤", ratio: 0.5 }],
  [cost(HAPROXY)]: [{ to: cost(HAPROXY_OPEN), sense: "≤", ratio: 1.43 }],
};

// The guard is what is measured, so that what is behind it costs as little as can be.
const TO_APP = "proxy_pass http://127.0.0.1:3000;";
const FILE = "try_files /file =404;";
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
  await using asking = await nginxThatAsks(new URL(rekey.url).host);
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
    guarded(NJS, native.port, "/guarded", native.daemon.id),
    guarded(LUA, lua.port, "/guarded", lua.daemon.id),
    guarded(HAPROXY_OPEN, haproxy.openPort, "/open", haproxy.daemon.id),
    guarded(HAPROXY, haproxy.port, "/open", haproxy.daemon.id),
  ];
  return { title: "Through a proxy that guards", rows: await measured(all, seen, unseen, rounds) };
}

/** Where requests go, and the processes that work on them, but for what is behind HAProxy. */
interface Guarded extends Worked {
  readonly name: string;
  readonly target: string;
}

async function measured(
  all: readonly Guarded[],
  seen: string,
  unseen: string,
  rounds: number,
): Promise<Row[]> {
  const costed = new CostedLoad();
  const send = (name: string, one: Guarded, tokens: string) => {
    return costed.send(name, one, { tokens, seconds: SECONDS, target: one.target });
  };
  const guarded = all.filter(({ name }) => name !== OPEN && name !== HAPROXY_OPEN);
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
  const spent = costed.medians()
    .filter(([name]) => all.some((one) => one.name === name))
    .map(([name, microseconds]): [string, number] => [cost(name), microseconds]);
  return [...[...medians].map(row("a second")), ...spent.map(row("µs a request"))];
}

/** nginx as docs/proxies.md has it. */
async function nginxThatAsks(rekey: string) {
  const box = new Box();
  await Deno.writeTextFile(`${box.home}/file`, "hello\n");
  await Deno.chmod(box.home, 0o711);
  const proxy = await Proxy.nginx(box, (port) =>
    adapted(documented("nginx")[0]!, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "server 127.0.0.1:8700;": `server ${rekey};`,
      [TO_APP]: `root ${box.home}; ${FILE}`,
    }));
  const dispose = async () => {
    await proxy[Symbol.asyncDispose]();
    box[Symbol.dispose]();
  };
  return { port: proxy.port, id: proxy.id, [Symbol.asyncDispose]: dispose };
}
