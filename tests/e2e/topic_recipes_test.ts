import assert from "node:assert/strict";
import { adapted, Proxy } from "../support/proxy/proxies.ts";
import type { Kind } from "../support/proxy/proxy_kinds.ts";
import { FORGED, Site } from "../support/proxy/site.ts";

const TOPIC = Deno.readTextFileSync(new URL("../../src/cli/topics/proxies.txt", import.meta.url));

/** The indented lines under a heading of the page. */
function recipe(heading: string): string {
  const lines = TOPIC.split(`\n${heading}\n`)[1]!.split("\n");
  return lines.slice(0, lines.findIndex((line) => !line.startsWith("  "))).join("\n");
}

const KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, { rekey, upstream }) =>
      Proxy.nginx(
        box,
        (port) =>
          `server { listen 127.0.0.1:${port};\n${
            adapted(recipe("NGINX"), { "127.0.0.1:8700": rekey, "127.0.0.1:3000": upstream })
          }\n}`,
      ),
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, { rekey, upstream }) =>
      Proxy.caddy(
        box,
        (port) =>
          `http://app.example.com:${port} {\n${
            adapted(recipe("CADDY"), { "127.0.0.1:8700": rekey, "127.0.0.1:3000": upstream })
          }\n}\n`,
      ),
  },
];

for (const kind of KINDS) {
  Deno.test(`rekey help proxies: what it gives for ${kind.name} lets through what rekey says, and no client's word`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token("bob");
    const reached = await site.passes(site.get(token, { headers: FORGED }));
    const names = Object.entries(reached.headers).filter(([name]) => /^x.auth.(sub|cl)/.test(name));
    assert.deepEqual(names, [["x-auth-subject", "bob"]]);
    await site.passes(site.get(token, { method: "POST", body: "x".repeat(100_000) }));
    await site.refused(site.get(undefined, { headers: FORGED }), 401);
    await site.stopRekey();
    await site.refused(site.get(token), kind.down);
  });
}
