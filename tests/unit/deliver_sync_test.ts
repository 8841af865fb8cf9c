import assert from "node:assert/strict";
import { join } from "node:path";
import { addDelivery } from "../../src/deliver/add.ts";
import { DeliveryKeeper } from "../../src/deliver/keeper.ts";
import { deliveryText } from "../../src/cli/deliveries_report.ts";
import { describeDeliveries } from "../../src/deliver/description.ts";
import { progressOf, sync } from "../../src/deliver/sync.ts";
import { rotateWithDeliveries } from "../../src/deliver/rotation.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { Deliveries, type StoredDelivery } from "../../src/store/sqlite/deliveries.ts";
import { temporary } from "../support/process/box.ts";
import { testEnvironment } from "../support/store/environment.ts";

const HOUR_MS = 3_600_000;

/** A secret, and a delivery of its keys to a file. */
async function delivered(reload?: string) {
  const environment = testEnvironment();
  const folder = temporary();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate({ store: "database" });
  const { installation } = await secrets.open();
  const path = join(folder, "keys.json");
  const given = { name: "api", preset: "jwks", path, parameters: {}, reload, force: false };
  await addDelivery(installation, given);
  await sync(secrets);
  const kids = () =>
    JSON.parse(Deno.readTextFileSync(path)).keys.map(({ kid }: { kid: string }) => kid);
  const facts = async () => describeDeliveries(installation, await progressOf(installation))[0]!;
  return {
    ...{ environment, folder, secrets, installation, path, kids, facts },
    [Symbol.dispose]() {
      secrets.close();
      environment[Symbol.dispose]();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("the old key leaves at the end of its grace period, by the clock", async () => {
  using at = await delivered();
  const [old] = at.kids();
  const { changed } = await rotateWithDeliveries(at.secrets, { graceMs: HOUR_MS });
  assert.deepEqual(at.kids(), [changed.version.kid, old]);
  at.environment.advance(HOUR_MS - 1);
  assert.equal((await at.facts()).followed, true);
  at.environment.advance(1);
  assert.equal((await at.facts()).followed, false);
  at.environment.advance(60_000);
  const { lag_seconds } = await at.facts();
  assert.equal(lag_seconds, 60);
  await sync(at.secrets);
  assert.deepEqual(at.kids(), [changed.version.kid]);
  assert.equal((await at.facts()).followed, true);
});

Deno.test("what was only written is not said to have followed: a probe alone shows that", async () => {
  using at = await delivered();
  const unasked = await at.facts();
  assert.deepEqual([unasked.followed, unasked.probed], [true, false]);
  assert.equal(
    deliveryText(unasked),
    "api has its file: version 1; it has no probe, so it was not asked",
  );
  const path = join(at.folder, "asked.json");
  const given = { name: "asked", preset: "jwks", path, parameters: {}, probe: { command: "true" } };
  await addDelivery(at.installation, { ...given, reload: undefined, force: true });
  const [, asked] = describeDeliveries(at.installation, await progressOf(at.installation));
  assert.equal(asked!.probed, true);
  assert.match(deliveryText({ ...asked!, followed: true }), /^asked has followed: /);
});

Deno.test("a delivery has not been behind for longer than it is there, however old the secret is", async () => {
  using at = await delivered();
  at.environment.advance(HOUR_MS);
  const path = join(at.folder, "later.json");
  const given = { name: "later", preset: "jwks", path, parameters: {}, reload: "exit 1" };
  await addDelivery(at.installation, { ...given, force: false });
  at.environment.advance(60_000);
  await sync(at.secrets);
  const [, later] = describeDeliveries(at.installation, await progressOf(at.installation));
  assert.deepEqual([later!.followed, later!.lag_seconds], [false, 60]);
});

Deno.test("before the commit a verifier has the next key, and the commit does not change its file", async () => {
  using at = await delivered();
  const [old] = at.kids();
  const before: string[] = [];
  let file = "";
  await rotateWithDeliveries(at.secrets, { graceMs: HOUR_MS }, {
    rotate: (options) =>
      at.secrets.rotate({
        ...options,
        onStep(step) {
          if (step !== "commit") return;
          before.push(...at.kids());
          file = String(Deno.statSync(at.path).ino);
        },
      }),
  });
  assert.equal(before.length, 2);
  assert.equal(before[1], old);
  assert.equal(String(Deno.statSync(at.path).ino), file, "it was written once");
});

Deno.test("a sync with nothing to do writes, reloads and logs nothing", async () => {
  const folder = temporary();
  const count = join(folder, "count");
  using at = await delivered(`echo x >> ${count}`);
  assert.equal(Deno.readTextFileSync(count), "x\n");
  const inode = Deno.statSync(at.path).ino;
  const outcomes = await sync(at.secrets);
  assert.deepEqual(outcomes.map(({ worked }) => worked), [false]);
  assert.equal(Deno.readTextFileSync(count), "x\n");
  assert.equal(Deno.statSync(at.path).ino, inode);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a preset that this rekey does not have is named, and stops no other delivery", async () => {
  using at = await delivered();
  const { database } = at.installation;
  const rows = new Deliveries(database);
  const [{ settings }] = rows.all() as [StoredDelivery];
  database.transaction(() =>
    rows.put("later", { ...settings, preset: "later", path: `${at.path}.later` })
  );
  await at.secrets.rotate();
  const outcomes = await sync(at.secrets);
  assert.deepEqual(outcomes.map(({ name, state: { failure } }) => [name, failure]), [
    ["api", null],
    ["later", "this rekey has no preset later"],
  ]);
});

Deno.test("a keeper tries again what has failed, later each time", async () => {
  using at = await delivered("test -e ready");
  let now = 0;
  const keeper = new DeliveryKeeper(at.secrets, () => now);
  const tries: number[] = [];
  for (; now < 10_000; now += 100) {
    const [outcome] = await keeper.tick();
    if (outcome !== undefined) tries.push(now);
    if (outcome !== undefined) {
      assert.match(outcome.state.failure!, /its reload ended with status 1/);
    }
  }
  assert.ok(tries.length >= 4 && tries.length <= 8, tries.join());
  const pauses = tries.slice(1).map((time, at) => time - tries[at]!);
  assert.deepEqual(pauses, pauses.toSorted((a, b) => a - b));
});
