import assert from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { later } from "../support/commands/standby.ts";
import { Serving } from "../support/http/serving.ts";
import type { Box } from "../support/process/box.ts";
import { HANG_MS, pause, until } from "../support/timing/pause.ts";

const KEPT_SECONDS = 1;
const STALENESS = [10, 12];

/** The kids in the set that a server publishes, and the name of that set. */
async function setOf(server: Serving): Promise<{ kids: string[]; etag: string | null }> {
  const answer = await server.get("/.well-known/jwks.json");
  const { keys } = await answer.json();
  return { kids: keys.map(({ kid }: { kid: string }) => kid), etag: answer.headers.get("etag") };
}

/** Waits until all servers publish these keys. */
async function untilPublished(servers: Serving[], kids: string[]): Promise<void> {
  let found: unknown;
  await until(async () => {
    const sets = found = await Promise.all(servers.map(setOf));
    return sets.every((set) => JSON.stringify(set.kids) === JSON.stringify(kids));
  }, { otherwise: () => `${JSON.stringify(found)} instead of ${kids}` });
}

Deno.test("the servers of a fleet publish a prepared key, and verifiers of each follow its activation", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "set");
  const [one, two] = fleet.machines as [Box, Box];
  // An hour ago, so that no longer age counts any more.
  const kept = await later(one, "-1h", "policy", "set", "--jwks-max-age", `${KEPT_SECONDS}s`);
  assert.equal(kept.code, 0, kept.stderr);
  const served = (box: Box, n: number) =>
    Serving.start(box, ["--workers", "1", "--max-staleness", `${STALENESS[n]}s`]);
  await using first = await served(one, 0);
  await using second = await served(two, 1);
  const servers = [first, second];
  const current = await must(one, "rotate", "--force", "--alg", "ES256", "--grace", "1h");
  await untilPublished(servers, [current.kid]);
  // Without a look for an unknown kid: a key that is not in the kept set is refused.
  const patience = { timeoutDuration: HANG_MS };
  const how = { cacheMaxAge: KEPT_SECONDS * 1_000, cooldownDuration: Infinity, ...patience };
  const sets = servers.map(({ url }) =>
    createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`), how)
  );
  const mustVerify = async (token: string) => {
    for (const set of sets) await jwtVerify(token, set, { algorithms: ["ES256"] });
    for (const server of servers) assert.equal(await server.auth(token), 204);
  };
  const old = await two.token();
  await mustVerify(old);

  const prepared = await must(one, "rotate", "--prepare");
  await untilPublished(servers, [prepared.kid, current.kid]);
  const before = await Promise.all(servers.map(setOf));
  const wait = Date.parse(prepared.activatable_at) - Date.parse(prepared.published_at);
  assert.equal(wait, (KEPT_SECONDS + Math.max(...STALENESS)) * 1_000, "counted by the slowest");
  await until(async () => {
    const { fleet: { servers } } = await must(two, "status");
    return servers.every((server: { prepared: string }) => server.prepared === prepared.kid);
  });
  // A machine that took long to come here is not late.
  const early = await later(two, "-30s", "rotate", "--activate", "--grace", "1h");
  assert.equal(early.code, 5, early.stderr);
  assert.ok(early.stderr.includes(`before ${prepared.activatable_at}`), early.stderr);
  await mustVerify(old);

  // The command's clock is set; that of the verifiers is not, and they may have fetched the set just before it had the key.
  await pause(KEPT_SECONDS * 1_000);
  const activating = ["rotate", "--activate", "--grace", "1h", "--json"];
  const activated = await later(two, `+${wait / 1_000 + 1}s`, ...activating);
  assert.equal(activated.code, 0, activated.stderr);
  assert.equal(JSON.parse(activated.stdout).kid, prepared.kid);
  for (const box of [one, two]) {
    const token = await box.token();
    assert.equal((await must(box, "verify", token)).kid, prepared.kid);
    await mustVerify(token);
  }
  await mustVerify(old);
  assert.deepEqual(await Promise.all(servers.map(setOf)), before);
});
