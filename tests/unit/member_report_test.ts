import assert from "node:assert/strict";
import { join } from "node:path";
import { addDelivery } from "../../src/deliver/add.ts";
import { DeliveryReports } from "../../src/deliver/member_report.ts";
import { sync } from "../../src/deliver/sync.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { temporary } from "../support/process/box.ts";
import { testEnvironment } from "../support/store/environment.ts";

Deno.test("what other machines are told of deliveries, whatever becomes of them", async () => {
  using environment = testEnvironment();
  const folder = temporary();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate({ store: "database" });
  const { installation } = await secrets.open();
  let now = 0;
  const reports = new DeliveryReports(() => now);
  const told = () => reports.of(installation);
  assert.equal(await told(), undefined);

  const names = Array.from({ length: 12 }, (_, n) => `api-${String(n).padStart(2, "0")}`);
  for (const name of names) {
    const path = join(folder, name);
    await addDelivery(installation, { name, preset: "jwks", path, parameters: {}, force: false });
  }
  assert.deepEqual(await told(), { behind: 12, names: names.slice(0, 10), prepared: null });
  await sync(secrets);
  const fine = { behind: 0, names: [], prepared: null };
  assert.deepEqual(await told(), fine);
  await secrets.rotate();
  assert.equal((await told())?.behind, 12);
  await sync(secrets);
  assert.deepEqual(await told(), fine);

  // The database tells nothing of it.
  Deno.removeSync(join(folder, "api-03"));
  assert.deepEqual(await told(), fine);
  now += 5_000;
  assert.deepEqual(await told(), { behind: 1, names: ["api-03"], prepared: null });

  const { database } = installation;
  const damage = database.prepare("UPDATE rekey_deliveries SET settings = '{'");
  database.transaction(() => damage.run());
  now += 5_000;
  assert.deepEqual(await told(), { behind: 1, names: [], prepared: null });
  secrets.close();
  Deno.removeSync(folder, { recursive: true });
});
