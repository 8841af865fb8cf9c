import { Box } from "../../tests/support/process/box.ts";
import { KnownKey, writeByHand } from "../../tests/support/consumers/by_hand.ts";
import { HaproxyGuard } from "../../tests/support/consumers/haproxy.ts";
import { NginxGuard } from "../../tests/support/consumers/nginx.ts";
import { adapted, documented, Proxy } from "../../tests/support/proxy/proxies.ts";
import { KnownSecret } from "./known_secret.ts";
import { load } from "./requests.ts";
import { type Goal, inTurn, type Part } from "./result.ts";
import { rekeyServer } from "./servers.ts";

const SECONDS = 1;

const OPEN = "nginx, a small file, no guard";
const ASKING = "nginx that asks rekey serve, tokens seen before";
const ASKING_NEW = "nginx that asks rekey serve, every token new";
const NATIVE = "nginx with the delivered keys, by njs";
const NATIVE_NEW = "nginx with the delivered keys, by njs, every token new";
const LUA = "nginx with the delivered keys, by Lua";
const LUA_NEW = "nginx with the delivered keys, by Lua, every token new";
const HAPROXY_OPEN = "HAProxy before nginx, no guard";
const HAPROXY = "HAProxy before nginx, with the delivered keys";
const HAPROXY_NEW = "HAProxy before nginx, with the delivered keys, every token new";

const GOALS: Record<string, Goal[]> = {
  [NATIVE]: [{ to: ASKING, sense: "≥", ratio: 2 }, { to: OPEN, sense: "≥", ratio: 0.5 }],
  [NATIVE_NEW]: [{ to: ASKING_NEW, sense: "≥", ratio: 2 }],
  [LUA]: [{ to: ASKING, sense: "≥", ratio: 2 }, { to: OPEN, sense: "≥", ratio: 0.5 }],
  [LUA_NEW]: [{ to: ASKING_NEW, sense: "≥", ratio: 2 }],
  [HAPROXY]: [{ to: HAPROXY_OPEN, sense: "≥", ratio: 0.7 }],
  [HAPROXY_NEW]: [{ to: HAPROXY_OPEN, sense: "≥", ratio: 0.7 }],
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
  const [seen, fresh] = [`${box.home}/seen`, `${box.home}/new`];
  secret.writeTokens(seen, 100);
  secret.writeTokens(fresh, 100_000);
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
  const asked: [string, number, string, string][] = [
    [OPEN, native.port, seen, "/open"],
    [ASKING, asking.port, seen, "/guarded"],
    [NATIVE, native.port, seen, "/guarded"],
    [LUA, lua.port, seen, "/guarded"],
    [ASKING_NEW, asking.port, fresh, "/guarded"],
    [NATIVE_NEW, native.port, fresh, "/guarded"],
    [LUA_NEW, lua.port, fresh, "/guarded"],
    [HAPROXY_OPEN, haproxy.openPort, seen, "/open"],
    [HAPROXY, haproxy.port, seen, "/open"],
    [HAPROXY_NEW, haproxy.port, fresh, "/open"],
  ];
  const contenders = asked.map(([name, port, tokens, target]) => ({
    name,
    run: () => load(`http://127.0.0.1:${port}`, tokens, SECONDS, target),
  }));
  const medians = await inTurn(contenders, rounds);
  const rows = [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "a second",
    goals: GOALS[name] ?? [],
  }));
  return { title: "Through a proxy that guards", rows };
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
  return { port: proxy.port, [Symbol.asyncDispose]: dispose };
}
