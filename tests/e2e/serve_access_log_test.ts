import assert from "node:assert/strict";
import { join } from "node:path";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";
import { ask } from "../support/proxy/proxies.ts";

// What a client, or its proxy, writes as X-Forwarded-For, and the address in it that counts.
const FORWARDED: readonly (readonly [written: string, address: string | undefined])[] = [
  ["203.0.113.9", "203.0.113.9"],
  ["198.51.100.7, 203.0.113.9", "203.0.113.9"],
  ["203.0.113.9:4711", "203.0.113.9"],
  ["[2001:DB8:0::1]:4711", "2001:db8::1"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["fe80::1%eth0", "fe80::1"],
  ["unknown", undefined],
  ["203.0.113.9, ", undefined],
  ["203.0.113.999", undefined],
  ["0x7f000001", undefined],
  ['203.0.113.9","status":200,"x":"', undefined],
  [`fe80::1%${"x".repeat(500)}`, "fe80::1"],
];

async function remotes(where: "unix" | "127.0.0.1", ...flags: string[]): Promise<unknown[]> {
  using box = await initialised();
  const path = join(box.home, "1.sock");
  // The lines of several threads are in no order.
  const listen = where === "unix" ? ["--unix", path] : ["--workers", "1"];
  await using serving = await Serving.start(box, [...listen, ...flags]);
  const to = where === "unix"
    ? { transport: "unix" as const, path }
    : { hostname: "127.0.0.1", port: Number(new URL(serving.url).port) };
  for (const [written] of FORWARDED) {
    const headers = [["X-Forwarded-For", written]] as const;
    await ask(to, "/session", { host: "localhost", headers });
  }
  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter(({ route }) => route === "/session").map(({ remote }) => remote);
}

for (const where of ["127.0.0.1", "unix"] as const) {
  Deno.test(`the access log has the address that the proxy names, if it is one: ${where}`, async () => {
    assert.deepEqual(
      await remotes(where, "--trust-forwarded"),
      FORWARDED.map(([, address]) => address ?? where),
    );
    assert.deepEqual(await remotes(where), FORWARDED.map(() => where));
  });
}
