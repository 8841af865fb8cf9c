import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { builtIn } from "../../src/deliver/presets.ts";
import { newFiles } from "../../src/deliver/new_files.ts";
import type { Delivery } from "../../src/deliver/delivery.ts";
import { statusOf, subjectAt } from "../support/consumers/attack_table.ts";
import { KnownKey } from "../support/consumers/by_hand.ts";
import { guardTests } from "../support/consumers/guard_suite.ts";
import { HaproxyPemGuard } from "../support/consumers/haproxy_pem.ts";
import { page } from "../support/consumers/page.ts";
import { Box } from "../support/process/box.ts";
import { Upstream } from "../support/proxy/proxies.ts";

const ALGORITHMS = [
  "HS256",
  "HS512",
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
] as const;

/** Writes keys as a delivery of the preset does. */
async function writeFolder(folder: string, [current, ...previous]: readonly KnownKey[]) {
  const preset = (await builtIn("haproxy-pem"))!;
  const delivery = { preset, settings: { path: folder, role: "verifier" } } as unknown as Delivery;
  const set = { current: current!.delivered, previous: previous.map(({ delivered }) => delivered) };
  for (const { path, bytes } of await newFiles(delivery, set, { path: folder })) {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, bytes);
  }
}

Deno.test("HAProxy with PEMs: each algorithm is accepted with its own key only, and nothing else", async () => {
  using box = new Box();
  await using app = new Upstream();
  const keys = join(box.home, "keys");
  const all = ALGORITHMS.map((alg) => new KnownKey({ alg }));
  await writeFolder(keys, all);
  await using guard = await HaproxyPemGuard.start(box, { keys, app: app.address });
  const ask = (token: string) => statusOf(guard.port, token);
  assert.equal(await subjectAt(guard.port, all[0]!.token({ sub: 1234567 })), "1234567");
  for (const key of all) {
    const { alg } = key.delivered;
    assert.equal(await ask(key.token()), 200, alg);
    assert.equal(await ask(key.token({ exp: 1 })), 401);
    assert.equal(await ask(key.token({ exp: undefined })), 401);
    assert.equal(await ask(new KnownKey({ alg }).token()), 401);
    assert.equal(await ask(new KnownKey({ alg }).token({}, { kid: key.kid })), 401);
    const paths = [`../${alg}/${key.kid}`, `./${key.kid}`, `${key.kid}.pem`, undefined];
    for (const kid of paths) assert.equal(await ask(key.token({}, { kid })), 401, String(kid));
    const crossed = all.filter((one) => one !== key)
      .map(({ kid, delivered: { alg } }) => ask(key.token({}, { kid, alg })));
    assert.ok((await Promise.all(crossed)).every((status) => status === 401), alg);
    if (key.delivered.secret.pair !== undefined) assert.equal(await ask(key.confused()), 401);
  }
});

Deno.test("HAProxy with PEMs: the page has a line for each algorithm of the preset", async () => {
  const { algorithms } = (await builtIn("haproxy-pem"))!;
  const lines = page("haproxy-pem").matchAll(
    /jwt_verify\("(\w+)",txn\.\w+\) if \{ .* -m str \1 \}/g,
  );
  assert.deepEqual([...lines].map(([, alg]) => alg), algorithms);
});

guardTests({
  name: "HAProxy with PEMs",
  preset: "haproxy-pem",
  file: "keys",
  inFolder: ["secrets.map", "keys.cfg"],
  pairs: ["ES256", "RS256"],
  finishesBegun: true,
  alike: true,
  flags: (box) => ["--reload", HaproxyPemGuard.reload(box)],
  start: (box, place) => HaproxyPemGuard.start(box, place),
});
